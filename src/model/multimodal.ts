/** The language model reading text and images: what all families share. */
import type { ModelConfig } from './families/index.ts';
import { gatherRows, selectRows } from './layers/embedding.ts';
import { type Adapters, embedTokens, type LlamaInput, llama } from './llama.ts';
import type { Tape, Variable, Weights } from './ops/tape.ts';
import type { Value } from './ops/value.ts';

export interface SequenceInput extends Omit<LlamaInput, 'embeddings'> {
  /** int32 `[batch * tokens]` */
  tokenIds: Value;
  /** bool `[batch * tokens, 1]`: places that hold an image embedding instead of a token */
  isImage: Value;
  /** int32 `[batch * tokens]`: which row of `images` such a place holds, 0 elsewhere */
  imageRows: Value;
  /** `[images * imageTokens, text hidden]`, as many images as the batch holds */
  images: Variable;
}

/**
 * Marks the places of a sequence that hold an image's embeddings.
 *
 * @param arrays of a whole batch, `[batch * tokens]` each
 * @param start the first of the places in the batch's arrays
 * @param image its number among the batch's images
 */
export function placeImage(
  arrays: { isImage: Uint8Array; imageRows: Int32Array },
  start: number,
  image: number,
  imageTokens: number,
): void {
  for (let token = 0; token < imageTokens; token++) {
    arrays.isImage[start + token] = 1;
    arrays.imageRows[start + token] = image * imageTokens + token;
  }
}

/**
 * Logits of sequences of text and images at the wanted places.
 *
 * @returns `[batch * perSequence, vocabulary]`
 */
export function multimodal(
  tape: Tape,
  weights: Weights,
  config: ModelConfig,
  input: SequenceInput,
  adapters?: Adapters,
): Variable {
  const text = embedTokens(tape, weights, input.tokenIds);
  const images = gatherRows(tape, input.images, input.imageRows);
  const embeddings = selectRows(tape, input.isImage, images, text);
  return llama(tape, weights, config, { ...input, embeddings }, adapters);
}
