/**
 * What lies in the folder of the step `generate` while it runs.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { readJson } from '../../core/read-json.ts';
import { finishedStep } from '../finished-step.ts';
import { requestsFile } from '../sample.ts';
import type { StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';

export const rawAnswersFile = 'gptvqa_result.jsonl';

const planSchema = z.object({
  chunks: z.object({ size: z.number(), requests: z.number(), offsets: z.array(z.number()) }),
  /** What chunks had cost when the work was begun, or taken up again. */
  costBefore: z.record(z.string(), z.number()),
});
export type StoredPlan = z.output<typeof planSchema>;

export interface GenerationFolder {
  directory: string;
  /** The files of calls. */
  calls: string;
  planFile: string;
  requestsFile: string;
  resultFile: string;
}

/** @throws InputError when the requests are not there yet */
export async function generationFolder({ run, round }: Pick<StepContext, 'run' | 'round'>): Promise<GenerationFolder> {
  const sampled = await finishedStep(run, round, 'sample');
  const directory = stepDirectory(run, round, 'generate');
  await run.stored?.download(directory);
  return {
    directory,
    calls: join(directory, 'calls'),
    planFile: join(directory, 'plan.json'),
    requestsFile: join(sampled.directory, requestsFile),
    resultFile: join(directory, rawAnswersFile),
  };
}

export function readPlan(file: string): Promise<StoredPlan> {
  return readJson(file, planSchema);
}

/**
 * How the ledger names what a chunk costs.
 *
 * @param purpose `generate`, or `verify` with the list of requests
 */
export function ledgerSource(round: number, purpose: string, chunk: number): string {
  return `round-${round}/${purpose}/chunk-${String(chunk).padStart(6, '0')}`;
}
