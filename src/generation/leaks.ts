import type { ImageId } from '../core/images/image-id.ts';
import { questionText } from './duplicates.ts';
import type { Rejection } from './filters.ts';
import { similarTexts } from './min-hash.ts';

/** What the model is evaluated on, and must not be trained on. */
export interface EvaluationSet {
  imageIds: ReadonlySet<ImageId>;
  /** SHA-256 of the evaluation images' files. */
  imageHashes: ReadonlySet<string>;
  questions: readonly { question_id: string; question: string; choices: readonly string[] }[];
}

/**
 * Makes a function that finds leaks of the evaluation: a sample whose image is one of the evaluation's, by id or by
 * content, or whose question with its choices is nearly one of the evaluation's. The teacher is shown evaluation questions
 * as examples, so such copies are likely.
 *
 * @param questionSimilarity Jaccard similarity from which on a question is a copy; undefined does not compare questions
 * @param imageHash the content hash of an image, or undefined for one without a file
 */
export function leakFinder(
  evaluation: EvaluationSet,
  questionSimilarity: number | undefined,
  imageHash: (imageId: ImageId) => string | undefined,
): (sample: { image_id: ImageId; question: string; choices: readonly string[] }) => Rejection | undefined {
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
