import { join } from 'node:path';
import { preferenceOf } from '../../config/preference-schema.ts';
import { difficultyOf } from '../../config/sample-schemas.ts';
import type { Config } from '../../config/schema.ts';
import { readJsonLines } from '../../core/read-json.ts';
import { evaluationAnswerSchema } from '../../trainer/job-files.ts';
import type { StepOutcome } from '../step-context.ts';

export interface SelectOutcome extends StepOutcome {
  accepted: number;
  rejected: number;
  tooEasy: number;
  tooHard: number;
  /** Of the wanted difficulty, but more than `sampling.requests`. */
  spare: number;
}

/** Whether a round has the step: its samples have to be of a difficulty, or preference pairs are made of the model's choices. */
export function selects({ sampling, finetune }: Pick<Config, 'sampling' | 'finetune'>): boolean {
  const asksForChoices = preferenceOf(finetune)?.sources.includes('ownChoices') ?? false;
  return difficultyOf(sampling) !== undefined || asksForChoices;
}

/** A line for each sample: how likely the model is to choose the right choice, and whether the sample is kept. */
export const difficultyFile = 'difficulty.jsonl';

/** A line for each sample: the loss of each of its choices by the model. */
export const choiceLossesFile = 'losses.jsonl';

/**
 * Reads the losses of the choices of the samples that `refine` kept, in their order; none for a sample without an answer.
 *
 * @param samples how many there are
 */
export async function readChoiceLosses(directory: string, samples: number): Promise<number[][]> {
  const answers = await readJsonLines(join(directory, choiceLossesFile), evaluationAnswerSchema);
  const lossesOf = new Map(answers.map(({ question_id, losses }) => [question_id, losses]));
  return Array.from({ length: samples }, (_, index) => lossesOf.get(String(index)) ?? []);
}
