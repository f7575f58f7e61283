/** The language model reading text and pictures: what all families share. */
import type { ModelConfig } from './files/model-config.ts';
import { gatherRows, selectRows } from './layers/embedding.ts';
import { type Adapters, embedTokens, type LlamaInput, llama } from './llama.ts';
import type { Value } from './ops/ops.ts';
import type { Tape, Variable } from './ops/tape.ts';
import type { Weights } from './weights.ts';

export interface SequenceInput extends Omit<LlamaInput, 'embeddings'> {
  /** int32 `[batch * tokens]` */
  tokenIds: Value;
  /** bool `[batch * tokens, 1]`: places that hold a picture embedding instead of a token */
  isPicture: Value;
  /** int32 `[batch * tokens]`: which row of `pictures` such a place holds, 0 elsewhere */
  pictureRows: Value;
  /** `[pictures * pictureTokens, text hidden]`, as many pictures as the batch holds */
  pictures: Variable;
}

/**
 * Logits of sequences of text and pictures at the wanted places.
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
  const pictures = gatherRows(tape, input.pictures, input.pictureRows);
  const embeddings = selectRows(tape, input.isPicture, pictures, text);
  return llama(tape, weights, config, { ...input, embeddings }, adapters);
}
