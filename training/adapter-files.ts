/** Trained adapters to and from PEFT's files. */
import { type Adapter, type LoraPair, readAdapter, writeAdapter } from '../model/files/adapter.ts';
import { type FlatParameters, viewsOf } from '../model/flat-parameters.ts';
import type { LoraSettings } from './lora.ts';

/**
 * Writes flat trained parameters as a PEFT adapter.
 *
 * @returns the files, relative to the directory
 */
export async function saveAdapter(
  directory: string,
  settings: { lora: LoraSettings; model: string },
  layout: FlatParameters,
  flat: Float32Array,
): Promise<string[]> {
  const views = viewsOf(layout, flat);
  const tensors = new Map<string, LoraPair>();
  for (const name of layout.names.filter((candidate) => candidate.endsWith('.lora_A'))) {
    const module = name.slice(0, -'.lora_A'.length);
    const factor = (suffix: string) => ({
      shape: [...(layout.shapes.get(`${module}${suffix}`) as readonly number[])],
      data: views.get(`${module}${suffix}`) as Float32Array,
    });
    tensors.set(module, { A: factor('.lora_A'), B: factor('.lora_B') });
  }
  const { rank, alpha, dropout, targetModules } = settings.lora;
  await writeAdapter(directory, {
    config: {
      r: rank,
      lora_alpha: alpha,
      lora_dropout: dropout,
      target_modules: [...targetModules],
      base_model_name_or_path: settings.model,
    },
    tensors,
  });
  return ['adapter_model.safetensors', 'adapter_config.json'];
}

export { type Adapter, readAdapter };
