import type { ImageId } from '../core/images/image-id.ts';
import type { Rejection } from './filters.ts';
import { jaccard, type Shingles, shinglesOf, similarTexts } from './min-hash.ts';

/** A question about an image. */
export interface AskedQuestion {
  image_id: ImageId;
  question: string;
  choices: readonly string[];
}

/** How similar questions may be. */
export interface DuplicateLimits {
  /** Two questions are nearly the same from this Jaccard similarity of their words and pairs of words on. */
  similarity: number;
  /** How many questions of all rounds may be nearly the same, choices included, about any images. */
  maximumAlike?: number | undefined;
}

/**
 * Makes a function that finds duplicates: the same question about the same image (`duplicate`), nearly the same
 * (`near_duplicate`), or a question with the same choices that too many images have already (`asked_too_often`). It adds
 * each question that is none of these.
 */
export function duplicateFinder(
  earlier: readonly AskedQuestion[],
  { similarity, maximumAlike }: DuplicateLimits,
): (asked: AskedQuestion) => Rejection | undefined {
  const byImage = new Map<ImageId, { question: string; shingles: Shingles }[]>();
  const everywhere = maximumAlike === undefined ? undefined : similarTexts(similarity);
  const add = (asked: AskedQuestion, shingles: Shingles) => {
    const ofImage = byImage.get(asked.image_id);
    if (ofImage) ofImage.push({ question: asked.question, shingles });
    else byImage.set(asked.image_id, [{ question: asked.question, shingles }]);
    everywhere?.add(asked.question, questionText(asked));
  };
  for (const asked of earlier) add(asked, shinglesOf(asked.question));

  return (asked) => {
    const shingles = shinglesOf(asked.question);
    const ofImage = byImage.get(asked.image_id) ?? [];
    const same = ofImage.find(({ question }) => question === asked.question);
    if (same) return { reason: 'duplicate', detail: same.question };
    const near = ofImage.find((before) => jaccard(before.shingles, shingles) >= similarity);
    if (near) return { reason: 'near_duplicate', detail: near.question };
    const alike = everywhere?.find(questionText(asked)) ?? [];
    if (maximumAlike !== undefined && alike.length >= maximumAlike) {
      return { reason: 'asked_too_often', detail: `${alike.length} like it, such as: ${alike[0]}` };
    }
    add(asked, shingles);
    return undefined;
  };
}

/** A question with its choices; their order does not matter. */
export function questionText({ question, choices }: Pick<AskedQuestion, 'question' | 'choices'>): string {
  return [question, ...choices.map((choice) => choice.toLowerCase()).sort()].join('\n');
}
