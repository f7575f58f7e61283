import { familyOf, type ModelConfig } from '../families/index.ts';
import { readModelConfig } from './model-config.ts';
import { type FoundTensors, openTensors, type TensorDirectory } from './tensor-directory.ts';
import { hasTiedHead } from './tied-head.ts';

export { modelFiles, replace, writeModelDirectory } from './write-model-directory.ts';

/** An open model directory: config and names in memory, tensors on disk until read. */
export interface ModelDirectory extends TensorDirectory {
  /** Its `tie_word_embeddings` says what the weights are, which may be other than `config.json` does. */
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
  let config = await readModelConfig(directory);
  const { publishedName } = familyOf(config);
  const shapes = async (found: FoundTensors) => {
    const isTied = await hasTiedHead(found, config.text_config.tie_word_embeddings);
    config = { ...config, text_config: { ...config.text_config, tie_word_embeddings: isTied } };
    return familyOf(config).expectedTensors();
  };
  const tensors = await openTensors(directory, { shapes, publishedName, ignored: needless });
  return { ...tensors, config };
}
