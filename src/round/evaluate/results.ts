import { join } from 'node:path';
import { type EvaluatedQuestion, readEvaluatedQuestions } from '../../evaluation/bad-cases.ts';
import type { StepOutcome } from '../step-context.ts';

export interface EvaluateShardOutcome extends StepOutcome {
  questions: number;
}

/** Accuracies in percent. */
export interface EvaluateOutcome extends StepOutcome {
  multipleChoice: number;
  directAnswer: number;
  testMultipleChoice?: number;
  testDirectAnswer?: number;
  questions: number;
}

/** The answers to the validation questions, as the reference system writes them. */
export const answersFile = 'aokvqa_eval.json';

/** Reads the answers to the validation questions from the step's folder. */
export function readAnswers(directory: string): Promise<EvaluatedQuestion[]> {
  return readEvaluatedQuestions(join(directory, answersFile));
}
