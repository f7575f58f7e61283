/**
 * MiniGPT-4 (arXiv 2304.10592): vision encoder → Q-Former → linear projection → LLaMA, in the layout of
 * transformers' `Blip2ForConditionalGeneration`.
 */
import type { ModelConfig } from './files/model-config.ts';
import { gatherRows, selectRows } from './layers/embedding.ts';
import { linear } from './layers/linear.ts';
import { type Adapters, embedTokens, type LlamaInput, llama } from './llama.ts';
import type { Value } from './ops/ops.ts';
import { frozen, type Tape, type Variable } from './ops/tape.ts';
import { queryTransformer } from './query-transformer.ts';
import { visionEncoder } from './vision-encoder.ts';
import type { Weights } from './weights.ts';

/**
 * What the language model is given for pictures.
 *
 * @param pixels float32 `[batch, 3, size, size]`
 * @returns `[batch * queries, text hidden]`
 */
export function pictureEmbeddings(tape: Tape, weights: Weights, config: ModelConfig, pixels: Value): Variable {
  const batch = pixels.shape[0] as number;
  const seen = visionEncoder(tape, weights, config, pixels);
  const asked = queryTransformer(tape, weights, config, seen, batch);
  return linear(tape, asked, weights('language_projection.weight'), weights('language_projection.bias'));
}

export interface SequenceInput extends Omit<LlamaInput, 'embeddings'> {
  /** int32 `[batch * tokens]` */
  tokenIds: Value;
  /** bool `[batch * tokens, 1]`: places that hold a picture embedding instead of a token */
  isPicture: Value;
  /** int32 `[batch * tokens]`: which row of `pictures` such a place holds, 0 elsewhere */
  pictureRows: Value;
  /** `[batch * queries, text hidden]` */
  pictures: Variable;
}

/**
 * Logits of sequences of text and pictures at the wanted places.
 *
 * @returns `[batch * perSequence, vocabulary]`
 */
export function miniGpt4(
  tape: Tape,
  weights: Weights,
  config: ModelConfig,
  input: SequenceInput,
  adapters?: Adapters,
): Variable {
  const text = embedTokens(tape, weights, input.tokenIds);
  const pictures = gatherRows(tape, input.pictures, input.pictureRows);
  const embeddings = selectRows(tape, input.isPicture, pictures, text);
  return llama(tape, weights, config, { ...input, embeddings }, adapters);
}

/** Picture embeddings that were computed before: a frozen value `[batch * queries, text hidden]`. */
export function knownPictures(value: Value): Variable {
  return frozen(value);
}
