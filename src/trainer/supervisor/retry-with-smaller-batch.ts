/**
 * A job that runs out of memory is retried with fewer samples computed at once: gradients and losses of a batch's parts
 * are summed, so that the result is the same but for the order of a sum.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { readJson } from '../../core/read-json.ts';
import { writeJson } from '../../core/write-file.ts';
import type { JobSpec } from '../protocol.ts';
import { TrainerError } from './trainer-error.ts';

/** The size that an attempt found to fit, for the attempts after it. */
const foundFile = 'fits-in-memory.json';
const foundSchema = z.object({ batchSize: z.int().positive() });

/** Samples or questions that a job computes at once; undefined for jobs that have no such number. */
function computedAtOnce(job: JobSpec): number | undefined {
  if (job.kind === 'finetune') return job.microBatchSize;
  return job.kind === 'evaluate' ? job.batchSize : undefined;
}

/** The same job with at most so many computed at once; a finetune's parts must make whole batches. */
function limitedTo(most: number, job: JobSpec): JobSpec {
  if (job.kind === 'evaluate') return { ...job, batchSize: Math.min(job.batchSize, most) };
  if (job.kind !== 'finetune' || job.microBatchSize <= most) return job;
  const divisors = Array.from({ length: most }, (_, index) => most - index);
  return { ...job, microBatchSize: divisors.find((size) => job.batchSize % size === 0) ?? 1 };
}

/**
 * Runs a job; each time it is out of memory, again with half as many samples at once, down to one.
 *
 * @param directory the step's folder, where the size that fits is kept for later attempts
 * @throws TrainerError of kind `memory`, not retryable, when a single sample does not fit
 */
export async function retryWithSmallerBatch<R>(
  directory: string,
  job: JobSpec,
  run: (job: JobSpec) => Promise<R>,
): Promise<R> {
  const known = await readJson(join(directory, foundFile), foundSchema).catch(() => undefined);
  let tried = known === undefined ? job : limitedTo(known.batchSize, job);
  for (;;) {
    try {
      return await run(tried);
    } catch (error) {
      if (!(error instanceof TrainerError) || error.kind !== 'memory') throw error;
      const size = computedAtOnce(tried);
      if (size === undefined || size <= 1) throw outOfMemory(error, size);
      tried = limitedTo(Math.floor(size / 2), tried);
      await writeJson(join(directory, foundFile), { batchSize: computedAtOnce(tried) });
    }
  }
}

function outOfMemory(error: TrainerError, size: number | undefined): TrainerError {
  const tried = size === undefined ? '' : '; it does not fit with one sample at a time either';
  const remedy = 'Set finetune.activationCheckpointing, finetune.weightDtype: bfloat16, or use a larger GPU';
  return new TrainerError({ kind: 'memory', retryable: false, message: `${error.message}${tried}. ${remedy}` });
}
