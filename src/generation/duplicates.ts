import type { Rejection } from './filters.ts';
import { jaccard, type Shingles, shinglesOf, similarTexts } from './min-hash.ts';

/** A question about an image. */
export interface AskedQuestion {
  image_id: number;
  question: string;
  choices: readonly string[];
}

/** How alike questions may be. */
export interface DuplicateLimits {
  /** Jaccard similarity of the questions' words and pairs of words from which on two are nearly the same. */
  similarity: number;
  /** How many questions of all rounds may be nearly the same, choices included, about whatever images. */
  maximumAlike?: number | undefined;
}

/**
 * Remembers questions, and says of a new one whether it was there before about the same image, word for word
 * (`duplicate`) or nearly (`near_duplicate`), or too often about other images, with the same choices
 * (`asked_too_often`). A question that is new is remembered.
 */
export function duplicateFinder(
  earlier: readonly AskedQuestion[],
  { similarity, maximumAlike }: DuplicateLimits,
): (asked: AskedQuestion) => Rejection | undefined {
  const byImage = new Map<number, { question: string; shingles: Shingles }[]>();
  const everywhere = maximumAlike === undefined ? undefined : similarTexts(similarity);
  const remember = (asked: AskedQuestion, shingles: Shingles) => {
    const ofImage = byImage.get(asked.image_id);
    if (ofImage) ofImage.push({ question: asked.question, shingles });
    else byImage.set(asked.image_id, [{ question: asked.question, shingles }]);
    everywhere?.add(asked.question, questionText(asked));
  };
  for (const asked of earlier) remember(asked, shinglesOf(asked.question));

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
    remember(asked, shingles);
    return undefined;
  };
}

/** A question with its choices, whose order does not count. */
export function questionText({ question, choices }: Pick<AskedQuestion, 'question' | 'choices'>): string {
  return [question, ...choices.map((choice) => choice.toLowerCase()).sort()].join('\n');
}
