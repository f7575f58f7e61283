/** An adapter that finetuning goes on from, instead of from the base model. */
import path from 'node:path';
import { InputError } from '../../core/input-error.ts';
import { readAdapter } from '../../model/files/adapter.ts';
import type { LoraSettings } from '../protocol.ts';

/**
 * The tensors of a PEFT adapter by the names of the trained ones, `<module>.lora_A` `[rank, in]` and
 * `<module>.lora_B` `[out, rank]`, float32.
 *
 * @param shapes the trained tensors' shapes
 * @param publishedName the module's name in the model's files for its path in PEFT
 * @throws InputError when the adapter is not one of the same modules, rank and alpha
 */
export async function readStartAdapter(
  directory: string,
  { rank, alpha }: LoraSettings,
  shapes: ReadonlyMap<string, readonly number[]>,
  publishedName?: (module: string) => string,
): Promise<Map<string, Float32Array>> {
  const { config, tensors } = await readAdapter(directory, publishedName);
  const refuse = (field: string, problem: string) =>
    new InputError({
      file: path.join(directory, 'adapter_config.json'),
      field,
      problem,
      remedy: 'Keep finetune.lora as it was, or set finetune.startFrom: base',
    });
  if (config.r !== rank) throw refuse('r', `is ${config.r}, but finetune.lora.rank is ${rank}`);
  if (config.lora_alpha !== alpha)
    throw refuse('lora_alpha', `is ${config.lora_alpha}, but finetune.lora.alpha is ${alpha}`);
  const start = new Map(
    [...tensors].flatMap(([module, { A, B }]): [string, Float32Array][] => [
      [`${module}.lora_A`, A.data],
      [`${module}.lora_B`, B.data],
    ]),
  );
  const differing =
    [...shapes.keys()].find((name) => !start.has(name)) ?? [...start.keys()].find((name) => !shapes.has(name));
  if (differing !== undefined) {
    throw refuse(
      'target_modules',
      `differs from finetune.lora.targetModules in ${differing.replace(/\.lora_[AB]$/, '')}`,
    );
  }
  return start;
}
