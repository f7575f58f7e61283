/** Adapters to and from PEFT's files. */
import path from 'node:path';
import { InputError } from '../../../core/input-error.ts';
import { familyOf, type ModelConfig } from '../../../model/families/index.ts';
import { type LoraPair, readAdapter, writeAdapter } from '../../../model/files/adapter.ts';
import { type FlatParameters, viewsOf } from '../../../model/flat-parameters.ts';
import type { LoraSettings } from '../../protocol.ts';

/**
 * Writes flat trained parameters as a PEFT adapter.
 *
 * @returns the files, relative to the directory
 */
export async function saveAdapter(
  directory: string,
  settings: { lora: LoraSettings; model: string; config: ModelConfig },
  layout: FlatParameters,
  flat: Float32Array,
): Promise<string[]> {
  const views = viewsOf(layout, flat);
  const tensors = new Map<string, Pick<LoraPair, 'A' | 'B'>>();
  for (const name of layout.names.filter((candidate) => candidate.endsWith('.lora_A'))) {
    const module = name.slice(0, -'.lora_A'.length);
    const factor = (suffix: string) => ({
      shape: [...(layout.shapes.get(`${module}${suffix}`) as readonly number[])],
      data: views.get(`${module}${suffix}`) as Float32Array,
    });
    tensors.set(module, { A: factor('.lora_A'), B: factor('.lora_B') });
  }
  const family = familyOf(settings.config);
  const { rank, alpha, dropout, targetModules } = settings.lora;
  await writeAdapter(directory, {
    config: {
      r: rank,
      lora_alpha: alpha,
      lora_dropout: dropout,
      target_modules: family.adapterTargets(targetModules),
      base_model_name_or_path: settings.model,
    },
    tensors,
    moduleName: family.moduleName,
  });
  return ['adapter_model.safetensors', 'adapter_config.json'];
}

/**
 * The tensors of a PEFT adapter that a finetune starts from, or compares with, by the names of the trained ones, `<module>.lora_A` `[rank, in]` and
 * `<module>.lora_B` `[out, rank]`, float32.
 *
 * @param shapes the trained tensors' shapes
 * @param alternative what else a person may do about an adapter that is refused
 * @param publishedName the module's name in the model's files for its path in PEFT
 * @throws InputError when the adapter is not one of the same modules, rank, alpha and scaling: what is trained has those of
 *   `finetune.lora`
 */
export async function readStartAdapter(
  directory: string,
  { rank, alpha }: LoraSettings,
  shapes: ReadonlyMap<string, readonly number[]>,
  publishedName?: (module: string) => string,
  alternative = 'set finetune.startFrom: base',
): Promise<Map<string, Float32Array>> {
  const { config, tensors } = await readAdapter(directory, publishedName);
  const refuse = (field: string, problem: string) =>
    new InputError({
      file: path.join(directory, 'adapter_config.json'),
      field,
      problem,
      remedy: `Keep finetune.lora as it was, or ${alternative}`,
    });
  if (config.r !== rank) throw refuse('r', `is ${config.r}, but finetune.lora.rank is ${rank}`);
  if (config.lora_alpha !== alpha)
    throw refuse('lora_alpha', `is ${config.lora_alpha}, but finetune.lora.alpha is ${alpha}`);
  const otherwise = [...tensors].find(([, pair]) => pair.A.shape[0] !== rank || pair.scaling !== alpha / rank);
  if (otherwise) {
    const [module, pair] = otherwise;
    const field = pair.A.shape[0] !== rank ? 'rank_pattern' : config.use_rslora ? 'use_rslora' : 'alpha_pattern';
    const found = `rank ${pair.A.shape[0]} and scales its update by ${pair.scaling}`;
    throw refuse(
      field,
      `gives ${module} ${found}, but finetune.lora says rank ${rank} and ${alpha / rank} for all layers`,
    );
  }
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
