/** The images that questions show, as a batch holds them. */
import { InputError } from '../../../core/input-error.ts';
import type { PromptForm } from '../../../model/families/prompt-form.ts';
import { type EvaluationQuestion, imagesOfQuestion, type ShownImages } from '../../job-files.ts';

/**
 * The images of a batch one after another: a question without one, and a place without a question, has an empty one.
 *
 * @param count images that the batch holds
 */
export function imagesOfBatch(questions: readonly ShownImages[], count: number): (string | undefined)[] {
  const files = questions.flatMap((question) =>
    question.image === undefined ? [undefined] : imagesOfQuestion(question),
  );
  return [...files, ...new Array<undefined>(count - files.length).fill(undefined)];
}

/** @throws InputError for a question with several images, of a model that the words for them are not known of */
export function requireKnownImages(model: string, questions: readonly EvaluationQuestion[], form: PromptForm): void {
  if (form.conversation !== undefined) return;
  const several = questions.find(({ laterImages }) => laterImages !== undefined);
  if (several === undefined) return;
  throw new InputError({
    file: model,
    problem: `question ${several.question_id} shows ${imagesOfQuestion(several).length} images, which are not known to this model with model.tokenBoundaries: reference, nor to a family without a form for conversations`,
    remedy: 'Set model.tokenBoundaries: separate, leave such questions out, or ask without images (blind)',
  });
}
