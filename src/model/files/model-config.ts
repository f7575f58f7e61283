import path from 'node:path';
import { z } from 'zod';
import { readJson } from '../../core/read-json.ts';
import { blip2ConfigSchema } from './blip2-config.ts';
import { llavaConfigSchema } from './llava-config.ts';

export { headSize } from './llama-config.ts';

/** `config.json` of a model of any family; `model_type` says which. */
export const modelConfigSchema = z.discriminatedUnion('model_type', [blip2ConfigSchema, llavaConfigSchema], {
  error: ({ code }) =>
    code === 'invalid_union'
      ? "must be 'blip-2' (MiniGPT-4) or 'llava' (LLaVA-1.5); other models need trainer: torchrun"
      : undefined,
});

/** A model's `config.json`, defaults filled in. */
export type ModelConfig = z.output<typeof modelConfigSchema>;

/**
 * Reads `config.json` of a model directory.
 *
 * @throws InputError naming the file and the setting that is missing or not supported.
 */
export async function readModelConfig(directory: string): Promise<ModelConfig> {
  return readJson(path.join(directory, 'config.json'), modelConfigSchema);
}
