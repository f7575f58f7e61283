/** Trained adapters to and from PEFT's files. */
import { familyOf, type ModelConfig } from '../../model/families/index.ts';
import { type LoraPair, writeAdapter } from '../../model/files/adapter.ts';
import { type FlatParameters, viewsOf } from '../../model/flat-parameters.ts';
import type { LoraSettings } from '../protocol.ts';

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
