/** The limit on a whole sequence, `finetune.maximumSequence`, in which an image counts as all of its tokens. */
import type { TrainingSequence } from './sequence.ts';

export interface LimitedSequence extends TrainingSequence {
  /** Tokens that were left out for being beyond the limit; a part of `cut`. */
  beyondSequence?: number;
  /** The limit is within the words or the image before the question: of the sample nothing can be kept. */
  hasNoRoom?: boolean;
}

/**
 * The sequence with its text cut at its end to the limit. Embeddings of images are never cut.
 *
 * @param maximumSequence tokens in all: of the family's words, images, questions and answers
 * @param queries embeddings of an image
 */
export function withinSequence(
  sequence: TrainingSequence,
  maximumSequence: number | undefined,
  queries: number,
): LimitedSequence {
  const { tokenIds, answerStart, imageStart, cut, laterImages, unlearned } = sequence;
  const beyond = tokenIds.length - (maximumSequence ?? tokenIds.length);
  if (maximumSequence === undefined || beyond <= 0) return sequence;
  // Of a conversation, images behind the first one are shown whole or not.
  const end = Math.min(maximumSequence, laterImages?.find((start) => start + queries > maximumSequence) ?? beyondAll);
  return {
    ...sequence,
    tokenIds: tokenIds.slice(0, end),
    answerStart: Math.min(answerStart, end),
    ...(laterImages && { laterImages: laterImages.filter((start) => start < end) }),
    ...(unlearned && {
      unlearned: unlearned.flatMap(([from, to]): [number, number][] => (from < end ? [[from, Math.min(to, end)]] : [])),
    }),
    cut: cut + beyond,
    beyondSequence: beyond,
    hasNoRoom: imageStart >= 0 && imageStart + queries >= maximumSequence,
  };
}

const beyondAll = Number.POSITIVE_INFINITY;
