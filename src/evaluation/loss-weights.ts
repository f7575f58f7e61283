import { emptyRecord } from '../core/records.ts';
import type { EvaluatedQuestion, Weights } from './bad-cases.ts';
import { mean } from './statistics/student-t.ts';

/** What the losses of an evaluation say about where to draw. */
export interface LossWeights {
  /** Question type → the mean loss of its right choices, the largest of all types being 1. */
  types: Weights;
  /** `idx` of a question → the loss of its right choice, in nats a token. */
  questions: ReadonlyMap<string, number>;
}

/**
 * Weights question types, and questions, by the model's loss on the right choice: a type that it answers right but in doubt
 * counts more than one that it is sure of, and a bad case that it is far from more than one that it nearly had. The loss is the
 * one that choices are ranked by, the mean over the tokens of the answer. The score "high loss" of Kessler et al., *Towards
 * Active Synthetic Data Generation for Finetuning Language Models* (arXiv 2512.00884), there of the questions that new ones are
 * written from.
 *
 * @param records an evaluation whose choices were ranked
 * @returns types in alphabetical order, weights to four decimals
 * @throws RangeError for a question without the loss of its right choice
 */
export function lossWeights(
  records: readonly Pick<EvaluatedQuestion, 'idx' | 'question_type' | 'losses' | 'correct_choice_idx'>[],
): LossWeights {
  const questions = new Map<string, number>();
  const byType: Record<string, number[]> = emptyRecord();
  for (const record of records) {
    const loss = lossOfRightChoice(record);
    if (loss === undefined) throw new RangeError(`Question ${record.idx} has no loss of its right choice`);
    questions.set(record.idx, loss);
    byType[record.question_type] = [...(byType[record.question_type] ?? []), loss];
  }
  const means = Object.entries(byType).map(([type, losses]) => [type, mean(losses)] as const);
  const largest = Math.max(...means.map(([, loss]) => loss));
  const weights = means.map(([type, loss]) => [type, largest > 0 ? Math.round((loss / largest) * 1e4) / 1e4 : 0]);
  return { types: Object.fromEntries(weights.sort()), questions };
}

/** Undefined where the answer was written: its choices were not ranked, or it has none. */
export function lossOfRightChoice({
  losses,
  correct_choice_idx: correct,
}: Pick<EvaluatedQuestion, 'losses' | 'correct_choice_idx'>): number | undefined {
  return correct === undefined ? undefined : losses[correct];
}
