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

/** What attempts have found, for those after them. */
const foundFile = 'fits-in-memory.json';
const foundSchema = z.object({
  /** The size that fits. */
  batchSize: z.int().positive().optional(),
  /** A trainer was killed that can't be made smaller. */
  killed: z.literal(true).optional(),
});

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
 * @throws TrainerError of kind `memory`, not retryable, when a single sample does not fit. A trainer that was killed may have been
 *   by what others held meanwhile: the first time it is retryable.
 */
export async function retryWithSmallerBatch<R>(
  directory: string,
  job: JobSpec,
  run: (job: JobSpec) => Promise<R>,
): Promise<R> {
  const file = join(directory, foundFile);
  const known = await readJson(file, foundSchema).catch(() => undefined);
  let tried = known?.batchSize === undefined ? job : limitedTo(known.batchSize, job);
  for (;;) {
    try {
      const result = await run(tried);
      if (known?.killed) await writeJson(file, { batchSize: computedAtOnce(tried) });
      return result;
    } catch (error) {
      if (!(error instanceof TrainerError) || error.kind !== 'memory') throw error;
      const size = computedAtOnce(tried);
      if (size === undefined || size <= 1) {
        if (!error.retryable || known?.killed) throw outOfMemory(error, size);
        await writeJson(file, { batchSize: size, killed: true });
        throw error;
      }
      tried = limitedTo(Math.floor(size / 2), tried);
      await writeJson(file, { batchSize: computedAtOnce(tried) });
    }
  }
}

function outOfMemory(error: TrainerError, size: number | undefined): TrainerError {
  const tried = size === undefined ? '' : '; it does not fit with one sample at a time either';
  const larger = error.retryable ? 'use a machine with more memory, or end what else takes it' : 'use a larger GPU';
  const remedy = `Set finetune.activationCheckpointing, finetune.weightDtype: bfloat16, or ${larger}`;
  return new TrainerError({ kind: 'memory', retryable: false, message: `${error.message}${tried}. ${remedy}` });
}
