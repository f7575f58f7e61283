import path from 'node:path';
import { readJson } from '../../core/read-json.ts';
import { checkLlama, type LlamaConfig, llamaSchema } from './llama-config.ts';
import { llamaTensors } from './llama-tensors.ts';
import { openTensors, type TensorDirectory } from './tensor-directory.ts';
import { prefixed } from './tensor-shapes.ts';

/** An open LLaMA directory: a language model that sees no images. */
export interface LlamaDirectory extends TensorDirectory {
  config: { text_config: LlamaConfig };
}

const PREFIX = 'language_model';
const needless = [/\.rotary_emb\.inv_freq$/, new RegExp(`^${PREFIX}\\.lm_head\\.weight$`)];

const configSchema = llamaSchema.superRefine((config, context) =>
  checkLlama(config, (message, ...place) => context.addIssue({ code: 'custom', message, path: place.slice(1) })),
);

/**
 * Opens a LLaMA as `LlamaForCausalLM` of transformers saves it. Tensors have the names that they have inside of a
 * multimodal model, `language_model.…`, since `llama` asks for those.
 *
 * @throws InputError naming the file and the setting or tensor that is missing or not as expected
 */
export async function readLlamaDirectory(directory: string): Promise<LlamaDirectory> {
  const config = await readJson(path.join(directory, 'config.json'), configSchema);
  const tensors = await openTensors(directory, {
    shapes: new Map(prefixed(PREFIX, llamaTensors(config))),
    publishedName: (name) => `${PREFIX}.${name}`,
    ignored: needless,
  });
  return { ...tensors, config: { text_config: config } };
}
