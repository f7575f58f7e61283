import { familyOf, type ModelConfig } from '../families/index.ts';
import { readModelConfig } from './model-config.ts';
import { openTensors, type TensorDirectory } from './tensor-directory.ts';

export { modelFiles, replace, writeModelDirectory } from './write-model-directory.ts';

/** An open model directory: config and names in memory, tensors on disk until read. */
export interface ModelDirectory extends TensorDirectory {
  config: ModelConfig;
}

/** Buffers and second names that earlier versions of `transformers` wrote along; they hold nothing of their own. */
const needless = [/\.rotary_emb\.inv_freq$/, /\.position_ids$/, /^language_model\.lm_head\.weight$/];

/**
 * Opens a model directory in Hugging Face's format: `config.json` with `model.safetensors`, or with shards
 * and `model.safetensors.index.json`.
 *
 * @throws InputError naming the file and the tensor that is missing, unexpected or of another shape than
 *   the config says, and for whatever `readModelConfig` and `openSafetensors` refuse.
 * @example
 * const model = await readModelDirectory('data/stage1');
 * const { shape, data } = await model.read('language_model.model.norm.weight');
 * await model.close();
 */
export async function readModelDirectory(directory: string): Promise<ModelDirectory> {
  const config = await readModelConfig(directory);
  const { expectedTensors, publishedName } = familyOf(config);
  const tensors = await openTensors(directory, { shapes: expectedTensors(), publishedName, ignored: needless });
  return { ...tensors, config };
}
