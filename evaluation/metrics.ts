import type { EvaluatedQuestion } from './records.ts';
import { errorWeights } from './weights.ts';

/** The scores of one evaluation on A-OKVQA. */
export interface AokvqaScores {
  /** Multiple choice (MC): percent of questions answered with the correct choice. */
  multipleChoice: number;
  /** Direct answer (DA): mean over the questions not marked difficult, in percent. */
  directAnswer: number;
  questions: number;
  directAnswerQuestions: number;
  /** Question type → share of wrong choices, 0 to 1, three decimals. */
  errorByType: Record<string, number>;
}

type ScoredQuestion = Pick<
  EvaluatedQuestion,
  | 'correct_choice_idx'
  | 'model_choice_idx'
  | 'model_answer'
  | 'direct_answers'
  | 'difficult_direct_answer'
  | 'question_type'
>;

/** True when the model chose the correct choice. */
export function isCorrect(record: Pick<ScoredQuestion, 'correct_choice_idx' | 'model_choice_idx'>): boolean {
  return record.model_choice_idx === record.correct_choice_idx;
}

/**
 * VQA accuracy of one answer, 0 to 1: it is right when three of the ten people gave it, and a third right for
 * each one below. Case and outer blanks don't count.
 *
 * Follows the evaluation of A-OKVQA (https://github.com/allenai/aokvqa).
 */
export function directAnswerScore(answer: string, directAnswers: readonly string[]): number {
  const given = normalizeAnswer(answer);
  const matches = directAnswers.filter((directAnswer) => normalizeAnswer(directAnswer) === given).length;
  return Math.min(1, matches / 3);
}

/** Scores an evaluation; every mean over nothing is 0. */
export function scoreAokvqa(records: readonly ScoredQuestion[]): AokvqaScores {
  const direct = records.filter((record) => !record.difficult_direct_answer);
  return {
    multipleChoice: 100 * mean(records.map((record) => (isCorrect(record) ? 1 : 0))),
    directAnswer: 100 * mean(direct.map((record) => directAnswerScore(record.model_answer, record.direct_answers))),
    questions: records.length,
    directAnswerQuestions: direct.length,
    errorByType: errorWeights(records),
  };
}

function normalizeAnswer(answer: string): string {
  return answer.trim().toLowerCase();
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
