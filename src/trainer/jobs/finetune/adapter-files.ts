/** Adapters to and from PEFT's files. */
import path from 'node:path';
import { loraScaling, targetsByPart } from '../../../config/lora-schema.ts';
import { InputError } from '../../../core/input-error.ts';
import { familyOf, type ModelConfig } from '../../../model/families/index.ts';
import { type AdapterTensor, type LoraPair, readAdapter, writeAdapter } from '../../../model/files/adapter.ts';
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
  const tensorOf = (name: string) => ({
    shape: [...(layout.shapes.get(name) as readonly number[])],
    data: views.get(name) as Float32Array,
  });
  const tensors = new Map<string, Omit<LoraPair, 'scaling'>>();
  const saved = new Map<string, AdapterTensor>();
  for (const name of layout.names) {
    const module = name.replace(/\.lora_A$/, '');
    if (module !== name) {
      const magnitude = layout.shapes.has(`${module}.lora_magnitude`)
        ? tensorOf(`${module}.lora_magnitude`)
        : undefined;
      tensors.set(module, { A: tensorOf(name), B: tensorOf(`${module}.lora_B`), magnitude });
    } else if (!isOfAdapter.test(name)) saved.set(name, tensorOf(name));
  }
  const family = familyOf(settings.config);
  const { rank, alpha, dropout, rslora, dora } = settings.lora;
  const { language, vision, projector } = targetsByPart(settings.lora.targetModules);
  // Names of several parts may be alike: then each layer is named.
  const isOfLanguage = vision.length === 0 && projector.length === 0;
  await writeAdapter(directory, {
    config: {
      r: rank,
      lora_alpha: alpha,
      lora_dropout: dropout,
      target_modules: isOfLanguage ? family.adapterTargets(language) : [...tensors.keys()].map(family.moduleName),
      ...(saved.size > 0 && { modules_to_save: [...new Set([...saved.keys()].map(firstName))] }),
      ...(rslora && { use_rslora: true }),
      ...(dora && { use_dora: true }),
      base_model_name_or_path: settings.model,
    },
    tensors,
    saved,
    moduleName: family.moduleName,
  });
  return ['adapter_model.safetensors', 'adapter_config.json'];
}

const isOfAdapter = /\.lora_(A|B|magnitude)$/;
const firstName = (name: string) => name.split('.')[0] as string;

/**
 * The tensors of a PEFT adapter that a finetune starts from, or compares with, by the names of the trained ones, `<module>.lora_A` `[rank, in]` and
 * `<module>.lora_B` `[out, rank]`, and those of parts that are trained whole, float32.
 *
 * @param shapes the trained tensors' shapes
 * @param alternative what else a person may do about an adapter that is refused
 * @param publishedName the module's name in the model's files for its path in PEFT
 * @throws InputError when the adapter is not one of the same modules, rank, alpha and scaling: what is trained has those of
 *   `finetune.lora`
 */
export async function readStartAdapter(
  directory: string,
  lora: LoraSettings,
  shapes: ReadonlyMap<string, readonly number[]>,
  publishedName?: (module: string) => string,
  alternative = 'set finetune.startFrom: base',
): Promise<Map<string, Float32Array>> {
  const { rank, alpha } = lora;
  const scaling = loraScaling(lora);
  const { config, tensors, saved } = await readAdapter(directory, publishedName);
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
  const otherwise = [...tensors].find(([, pair]) => pair.A.shape[0] !== rank || pair.scaling !== scaling);
  if (otherwise) {
    const [module, pair] = otherwise;
    const field =
      pair.A.shape[0] !== rank
        ? 'rank_pattern'
        : Boolean(config.use_rslora) !== Boolean(lora.rslora)
          ? 'use_rslora'
          : 'alpha_pattern';
    const found = `rank ${pair.A.shape[0]} and scales its update by ${pair.scaling}`;
    throw refuse(field, `gives ${module} ${found}, but finetune.lora says rank ${rank} and ${scaling} for all layers`);
  }
  const start = new Map([
    ...[...tensors].flatMap(([module, { A, B, magnitude }]): [string, Float32Array][] => [
      [`${module}.lora_A`, A.data],
      [`${module}.lora_B`, B.data],
      ...(magnitude ? [[`${module}.lora_magnitude`, magnitude.data] as [string, Float32Array]] : []),
    ]),
    ...[...saved].map(([name, { data }]): [string, Float32Array] => [name, data]),
  ]);
  const differing =
    [...shapes.keys()].find((name) => !start.has(name)) ?? [...start.keys()].find((name) => !shapes.has(name));
  if (Boolean(config.use_dora) !== Boolean(lora.dora)) {
    throw refuse('use_dora', `is ${Boolean(config.use_dora)}, but finetune.lora.dora is ${Boolean(lora.dora)}`);
  }
  if (differing !== undefined && !isOfAdapter.test(differing)) {
    const has = start.has(differing) ? 'has' : 'does not have';
    throw refuse('modules_to_save', `${has} ${differing}, otherwise than finetune.trainable`);
  }
  if (differing !== undefined) {
    throw refuse('target_modules', `differs from finetune.lora.targetModules in ${differing.replace(isOfAdapter, '')}`);
  }
  return start;
}
