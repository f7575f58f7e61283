import type { AokvqaQuestion } from '../datasets/aokvqa.ts';
import type { EvaluatedQuestion } from './records.ts';

/** What the model found for one question: the mean loss of the answer with each of the choices, in their order. */
export interface ChoiceLosses {
  question_id: string;
  losses: number[];
}

/**
 * The choice that the model finds likeliest: the lowest mean loss, the first of equals. A loss that is not a
 * number never wins.
 *
 * @throws Error when there is no loss that is a number.
 */
export function likeliestChoice(losses: readonly number[]): number {
  let best = -1;
  for (const [index, loss] of losses.entries()) {
    if (!Number.isNaN(loss) && (best < 0 || loss < (losses[best] as number))) best = index;
  }
  if (best < 0) throw new Error('The model gave no loss for any of the choices');
  return best;
}

/**
 * Turns losses into predictions: the records of `aokvqa_eval.json`, in the order of the questions.
 *
 * @param questionTypes question id → question type
 * @throws Error when a question has no losses, not as many as choices, or no type.
 */
export function rankChoices(input: {
  questions: readonly AokvqaQuestion[];
  losses: readonly ChoiceLosses[];
  questionTypes: ReadonlyMap<string, string>;
}): EvaluatedQuestion[] {
  const lossesOf = new Map(input.losses.map((entry) => [entry.question_id, entry.losses]));
  return input.questions.map((question) => {
    const id = question.question_id;
    const losses = lossesOf.get(id);
    if (!losses) throw new Error(`Question ${id} was not evaluated`);
    if (losses.length !== question.choices.length) {
      throw new Error(`Question ${id} has ${question.choices.length} choices, but ${losses.length} losses`);
    }
    const questionType = input.questionTypes.get(id);
    if (questionType === undefined) throw new Error(`Question ${id} has no question type`);
    const chosen = likeliestChoice(losses);
    return {
      question_id: id,
      image_id: question.image_id,
      question: question.question,
      choices: question.choices,
      correct_choice_idx: question.correct_choice_idx,
      direct_answers: question.direct_answers,
      difficult_direct_answer: question.difficult_direct_answer,
      model_answer: question.choices[chosen] as string,
      model_choice_idx: chosen,
      losses,
      question_type: questionType,
    };
  });
}
