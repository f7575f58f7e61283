/** Sequences of different lengths as the rectangles that a traced graph takes. */
import { placeImage } from '../../model/multimodal.ts';
import type { TypedArray } from '../../model/ops/tensorflow.ts';
import type { Sequence } from './sequence.ts';

/** The sizes a graph is traced for. */
export interface BatchShape {
  batch: number;
  tokens: number;
  /** Places a sequence whose next token is learned. */
  targets: number;
  /** Images, or sequences without one. Default: `batch`, one a sequence. */
  images?: number;
}

/** Images that a batch of this shape has room for. */
export const imagesIn = ({ batch, images = batch }: BatchShape) => images;

const TOKEN_STEP = 8;
const TARGET_STEP = 8;

/** The next multiple of a step. */
export const roundUp = (value: number, step: number) => Math.ceil(value / step) * step;

/** Items in batches of this size; the last one may be smaller. */
export function inBatches<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** The smallest shape, in coarse steps so that few graphs are needed, that holds all sequences. */
export function batchShape(sequences: readonly Sequence[]): BatchShape {
  const tokens = Math.max(...sequences.map(({ tokenIds }) => tokenIds.length));
  const targets = Math.max(...sequences.map((sequence) => learnedPlaces(sequence).length));
  const images = sequences.reduce((sum, sequence) => sum + Math.max(1, imageCount(sequence)), 0);
  return {
    batch: sequences.length,
    ...(images > sequences.length && { images }),
    tokens: roundUp(tokens, TOKEN_STEP),
    // At least one step, for a batch in which nothing is learned.
    targets: roundUp(Math.max(targets, 1), TARGET_STEP),
  };
}

/** Tokens that the loss is on. */
export function learnedTokens(sequences: readonly Sequence[]): number {
  return sequences.reduce((count, sequence) => count + learnedPlaces(sequence).length, 0);
}

/** How many images a sequence has places for. */
export function imageCount({ imageStart, laterImages = [] }: Sequence): number {
  return imageStart < 0 ? 0 : 1 + laterImages.length;
}

/** The places of the tokens that the loss is on. */
export function learnedPlaces({ tokenIds, answerStart, unlearned = [] }: Sequence): number[] {
  const all = Array.from({ length: tokenIds.length - answerStart }, (_, index) => answerStart + index);
  return all.filter((place) => !unlearned.some(([start, end]) => start <= place && place < end));
}

/**
 * What each sequence's learned tokens weigh in the loss of their batch: the mean over its groups of the mean over the
 * group's tokens. Groups in which nothing is learned don't count.
 *
 * @param groupSize sequences in a row that are a group
 */
export function tokenWeights(sequences: readonly Sequence[], groupSize = sequences.length): number[] {
  const learned = Array.from({ length: sequences.length / groupSize }, (_, group) =>
    learnedTokens(sequences.slice(group * groupSize, (group + 1) * groupSize)),
  );
  const groups = learned.filter((count) => count > 0).length;
  return sequences.map((_, index) => 1 / (groups * (learned[Math.floor(index / groupSize)] as number)));
}

export interface Batch extends Record<string, TypedArray> {
  /** int32 `[batch * tokens]`, padded to the right */
  tokenIds: Int32Array;
  /** bool `[batch * tokens, 1]` */
  isImage: Uint8Array;
  /** int32 `[batch * tokens]` */
  imageRows: Int32Array;
  /** int32 `[batch * targets]`: places whose next token is learned, as rows of the batch */
  rows: Int32Array;
  /** int32 `[batch * targets]`: the same places, counted within their sequence */
  tableRows: Int32Array;
  /** int32 `[batch * targets]` */
  labels: Int32Array;
  /** float32 `[batch * targets]`: what a learned token weighs in the loss, zero for padding */
  weights: Float32Array;
}

/**
 * Lays sequences side by side.
 *
 * @param tokenWeight what each sequence's learned tokens weigh in the loss. Default: the same, so that it is the mean
 * over all learned tokens, as transformers' causal loss
 */
export function collate(
  sequences: readonly Sequence[],
  shape: BatchShape,
  queries: number,
  tokenWeight: readonly number[] = tokenWeights(sequences),
): Batch {
  const { batch, tokens, targets } = shape;
  const result: Batch = {
    tokenIds: new Int32Array(batch * tokens),
    isImage: new Uint8Array(batch * tokens),
    imageRows: new Int32Array(batch * tokens),
    rows: new Int32Array(batch * targets),
    tableRows: new Int32Array(batch * targets),
    labels: new Int32Array(batch * targets),
    weights: new Float32Array(batch * targets),
  };
  let image = 0;
  sequences.forEach((sequence, index) => {
    const { tokenIds, imageStart, laterImages = [] } = sequence;
    result.tokenIds.set(tokenIds, index * tokens);
    for (const [shown, start] of [imageStart, ...laterImages].entries()) {
      if (start >= 0) placeImage(result, index * tokens + start, image + shown, queries);
    }
    // A sequence without an image has an empty one.
    image += 1 + laterImages.length;
    // Unused places read the sequence's first token, whose weight is zero.
    result.rows.fill(index * tokens, index * targets, (index + 1) * targets);
    for (const [target, learned] of learnedPlaces(sequence).entries()) {
      const slot = index * targets + target;
      const place = learned - 1;
      result.rows[slot] = index * tokens + place;
      result.tableRows[slot] = place;
      result.labels[slot] = tokenIds[place + 1] as number;
      result.weights[slot] = tokenWeight[index] as number;
    }
  });
  return result;
}
