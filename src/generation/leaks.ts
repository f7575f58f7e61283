import { questionText } from './duplicates.ts';
import type { Rejection } from './filters.ts';
import { similarTexts } from './min-hash.ts';

/** What the model is measured by, and must not be trained on. */
export interface EvaluationSet {
  imageIds: ReadonlySet<number>;
  /** SHA-256 of the evaluation images' files. */
  imageHashes: ReadonlySet<string>;
  questions: readonly { question_id: string; question: string; choices: readonly string[] }[];
}

/**
 * Says of a new sample whether training on it would leak the evaluation: its image is one of the evaluation's, by
 * id or by content, or its question with its choices is a near-copy of one that is asked there. Such a copy comes
 * about easily: the teacher is shown evaluation questions as examples.
 *
 * @param questionSimilarity Jaccard similarity from which on a question is a copy; undefined leaves questions alone
 * @param imageHash the content hash of an image, or undefined for one whose file is not at hand
 */
export function leakFinder(
  evaluation: EvaluationSet,
  questionSimilarity: number | undefined,
  imageHash: (imageId: number) => string | undefined,
): (sample: { image_id: number; question: string; choices: readonly string[] }) => Rejection | undefined {
  const asked = questionSimilarity === undefined ? undefined : similarTexts(questionSimilarity);
  for (const question of asked ? evaluation.questions : []) asked?.add(question.question_id, questionText(question));
  return (sample) => {
    if (evaluation.imageIds.has(sample.image_id)) {
      return { reason: 'evaluation_image', detail: `image ${sample.image_id} is one of the evaluation's` };
    }
    const hash = imageHash(sample.image_id);
    if (hash !== undefined && evaluation.imageHashes.has(hash)) {
      return {
        reason: 'evaluation_image',
        detail: `image ${sample.image_id} is a copy of one of the evaluation's`,
      };
    }
    const [copied] = asked?.find(questionText(sample)) ?? [];
    return copied === undefined ? undefined : { reason: 'evaluation_question', detail: `question ${copied}` };
  };
}
