/** The LoRA checkpoints of the reference system as PEFT adapters. */
import { InputError } from '../../../core/input-error.ts';
import { type AdapterTensor, type LoraPair, writeAdapter } from '../../files/adapter.ts';
import type { SourceTensor, TensorSource } from './assemble/source-tensor.ts';
import { type FindPython, openTensorSource } from './assemble/tensor-source.ts';

/** A factor of the reference's `LoRALinear` in its MiniGPT-4, whose language model is `llama_model`. */
const factorPattern = /^llama_model\.(?<module>.+)\.lora_(?<factor>[AB])\.weight$/;
/**
 * What the reference saves along, and its merge leaves aside: the frozen projection of its stage-1 checkpoint, and buffers that
 * hold nothing learned.
 */
const savedAlong = [/^llama_proj\.(weight|bias)$/, /\.rotary_emb\.\w+$/, /\.position_ids$/];

export interface ImportedLora {
  /** Adapted layers. */
  modules: number;
  rank: number;
  alpha: number;
}

/**
 * Writes the LoRA weights of a checkpoint (`checkpoint_9.pth`, or the same tensors as safetensors) as a PEFT adapter of the
 * whole model, which updates weights by `scale * B A`.
 *
 * @param settings.scale `lora_alpha / lora_r` of the training, 2 in all rows of the reference
 * @param python the Python that reads pickles; not looked for when there are none
 * @throws InputError naming the file and the tensor that is missing, not a LoRA factor, or of another rank
 */
export async function importLora(
  settings: { checkpoint: string; output: string; scale: number },
  python: FindPython,
): Promise<ImportedLora> {
  const source = await openTensorSource(settings.checkpoint, python);
  try {
    const tensors = await pairsIn(source);
    const modules = [...tensors.keys()];
    const rank = (tensors.values().next().value as LoraPair).A.shape[0] as number;
    const alpha = settings.scale * rank;
    await writeAdapter(settings.output, {
      config: {
        r: rank,
        lora_alpha: alpha,
        target_modules: [...new Set(modules.map((module) => module.split('.').at(-1) as string))].toSorted(),
      },
      tensors,
    });
    return { modules: modules.length, rank, alpha };
  } finally {
    await source.close();
  }
}

async function pairsIn({ place, tensors }: TensorSource): Promise<Map<string, Pick<LoraPair, 'A' | 'B'>>> {
  const factors = new Map<string, { A?: SourceTensor; B?: SourceTensor }>();
  for (const [name, tensor] of tensors) {
    const found = factorPattern.exec(name)?.groups as { module: string; factor: 'A' | 'B' } | undefined;
    if (found) {
      const module = `language_model.${found.module}`;
      factors.set(module, { ...factors.get(module), [found.factor]: tensor });
    } else if (!savedAlong.some((pattern) => pattern.test(name))) {
      throw wrongTensor(place, name, 'is no LoRA factor of the language model, and an adapter would lose it');
    }
  }
  if (factors.size === 0) {
    const problem = 'holds no LoRA weights (llama_model.….lora_A.weight)';
    throw new InputError({ file: place, problem, remedy: 'Name the checkpoint of a LoRA finetune, not of stage 1' });
  }
  const pairs = new Map<string, Pick<LoraPair, 'A' | 'B'>>();
  let rank: number | undefined;
  for (const [module, { A, B }] of factors) {
    const given = `llama_model.${module.slice('language_model.'.length)}`;
    if (!A || !B) throw wrongTensor(place, `${given}.lora_${A ? 'B' : 'A'}.weight`, 'is missing');
    rank ??= A.shape[0];
    for (const [tensor, axis] of [[A, 0] as const, [B, 1] as const]) {
      if (tensor.shape.length === 2 && tensor.shape[axis] === rank) continue;
      throw wrongTensor(
        place,
        tensor.name,
        `has shape [${tensor.shape.join(', ')}], the rank of the others is ${rank}`,
      );
    }
    pairs.set(module, { A: await valuesOf(A), B: await valuesOf(B) });
  }
  return pairs;
}

async function valuesOf(tensor: SourceTensor): Promise<AdapterTensor> {
  return { shape: [...tensor.shape], data: await tensor.read() };
}

function wrongTensor(file: string, field: string, problem: string): InputError {
  return new InputError({ file, field, problem, remedy: 'Name a LoRA checkpoint of the reference system' });
}
