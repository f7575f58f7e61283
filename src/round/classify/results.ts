import { join } from 'node:path';
import { readBadCases, readWeights, type Weights } from '../../evaluation/bad-cases.ts';
import type { StepOutcome } from '../step-context.ts';

export interface ClassifyOutcome extends StepOutcome {
  badCases: number;
  /** Share of wrong answers, by question type. */
  errorByType: Record<string, number>;
}

/** Question type → the questions that were answered wrongly. */
export const badCasesFile = 'bad_case_aokvqa_classified.json';
/** Question type → share of wrong answers. */
export const weightsFile = 'weight.json';

/** Reads the bad cases from the step's folder. */
export function readClassifiedBadCases(directory: string): ReturnType<typeof readBadCases> {
  return readBadCases(join(directory, badCasesFile));
}

/** Reads the error rates of question types from the step's folder. */
export function readErrorWeights(directory: string): Promise<Weights> {
  return readWeights(join(directory, weightsFile));
}
