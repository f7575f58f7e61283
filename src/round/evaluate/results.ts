import { join } from 'node:path';
import { type EvaluatedQuestion, readEvaluatedQuestions } from '../../evaluation/bad-cases.ts';
import type { StepOutcome } from '../step-context.ts';

export interface EvaluateShardOutcome extends StepOutcome {
  questions: number;
}

/** Accuracies in percent; of questions of your own all are the main score. */
export interface EvaluateOutcome extends StepOutcome {
  /** What the main score of questions of your own is, such as `accuracy`; none for A-OKVQA's. */
  measure?: string;
  multipleChoice: number;
  directAnswer: number;
  testMultipleChoice?: number;
  testDirectAnswer?: number;
  questions: number;
  /** What the teacher has read and written to judge the answers, where it does. */
  judging?: { promptTokens: number; completionTokens: number };
}

/** The answers to the validation questions, as the reference system writes them; its name is the same for your own. */
export const answersFile = 'aokvqa_eval.json';

/** Reads the answers to the validation questions from the step's folder. */
export function readAnswers(directory: string): Promise<EvaluatedQuestion[]> {
  return readEvaluatedQuestions(join(directory, answersFile));
}
