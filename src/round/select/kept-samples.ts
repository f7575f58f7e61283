/** The samples that a round trains on, whichever step was the last to choose among them. */
import { join } from 'node:path';
import { difficultyOf } from '../../config/sample-schemas.ts';
import { type EngineSample, readEngineData } from '../../datasets/engine-data.ts';
import { engineDataFile } from '../append/generated-data.ts';
import { finishedStep } from '../finished-step.ts';
import { readRejected, readRejectedByReason, rejectedByReasonFile } from '../refine/results.ts';
import type { StepContext } from '../step-context.ts';

export interface KeptSamples {
  /** Hash of their file. */
  hash: string | undefined;
  accepted: number;
  /** By `refine` and, where the config asks for it, by `select`. */
  rejected: number;
  /** Of the counts by reason. */
  rejectedHash: string;
  read(): Promise<EngineSample[]>;
  readRejected(): ReturnType<typeof readRejected>;
  readRejectedByReason(): Promise<Record<string, number>>;
}

/** @throws InputError where one of the steps has not finished */
export async function keptSamples({
  config,
  run,
  round,
}: Pick<StepContext, 'run' | 'round'> & { config: Pick<StepContext['config'], 'sampling'> }): Promise<KeptSamples> {
  const refined = await finishedStep(run, round, 'refine');
  const selects = difficultyOf(config.sampling) !== undefined;
  const steps = selects ? [refined, await finishedStep(run, round, 'select')] : [refined];
  const last = steps.at(-1) as typeof refined;
  const name = engineDataFile(round);
  return {
    hash: last.manifest.outputs[name],
    accepted: last.manifest.metrics.accepted ?? 0,
    rejected: steps.reduce((sum, { manifest }) => sum + (manifest.metrics.rejected ?? 0), 0),
    rejectedHash: steps.map(({ manifest }) => manifest.outputs[rejectedByReasonFile]).join(' '),
    read: () => readEngineData(join(last.directory, name)),
    readRejected: async () => (await Promise.all(steps.map(({ directory }) => readRejected(directory)))).flat(),
    // No reason is given by both.
    readRejectedByReason: async () =>
      Object.assign({}, ...(await Promise.all(steps.map(({ directory }) => readRejectedByReason(directory))))),
  };
}
