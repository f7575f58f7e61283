/**
 * A-OKVQA's predictions in the format of its leaderboard, scored as by its official script
 * (`evaluation/eval_predictions.py` of https://github.com/allenai/aokvqa).
 */
import { z } from 'zod';
import { readJson } from '../core/read-json.ts';
import type { AokvqaQuestion } from '../datasets/aokvqa.ts';

const predictionsSchema = z.record(
  z.string(),
  z.object({ multiple_choice: z.string().optional(), direct_answer: z.string().optional() }),
);

/** Question id → the answers, each in words. */
export type AokvqaPredictions = z.output<typeof predictionsSchema>;

/** Reads a file of predictions. @throws InputError naming the question whose answers do not fit */
export function readAokvqaPredictions(file: string): Promise<AokvqaPredictions> {
  return readJson(file, predictionsSchema);
}

/**
 * The official scores, in percent: a question without a prediction counts as wrong, questions marked difficult don't
 * count for direct answers, and answers are compared letter by letter, case and spaces included. Where a question has fewer
 * than three direct answers, which official ones never do, all have to be the one that is given. A setting
 * without predictions, or without questions that count, has no score.
 */
export function scoreAokvqaPredictions(
  questions: readonly AokvqaQuestion[],
  predictions: AokvqaPredictions,
): { multipleChoice: number | undefined; directAnswer: number | undefined } {
  const given = new Map(Object.entries(predictions));
  const all = [...given.values()];
  const multipleChoice = all.some(({ multiple_choice }) => multiple_choice !== undefined)
    ? questions.map(({ question_id, choices, correct_choice_idx }) =>
        given.get(question_id)?.multiple_choice === choices[correct_choice_idx] ? 1 : 0,
      )
    : [];
  const directAnswer = all.some(({ direct_answer }) => direct_answer !== undefined)
    ? questions
        .filter(({ difficult_direct_answer, direct_answers }) => !difficult_direct_answer && direct_answers.length > 0)
        .map(({ question_id, direct_answers }) => {
          const answer = given.get(question_id)?.direct_answer;
          const matches = direct_answers.filter((one) => one === answer).length;
          return Math.min(1, matches / Math.min(3, direct_answers.length));
        })
    : [];
  return { multipleChoice: percent(multipleChoice), directAnswer: percent(directAnswer) };
}

function percent(scores: readonly number[]): number | undefined {
  return scores.length === 0 ? undefined : (scores.reduce((sum, score) => sum + score, 0) / scores.length) * 100;
}
