import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toActivityFailure } from '../../../activities/errors.ts';
import type { EvaluateJob, FinetuneJob, JobSpec } from '../../../src/trainer/protocol.ts';
import { retryWithSmallerBatch } from '../../../src/trainer/supervisor/retry-with-smaller-batch.ts';
import { TrainerError } from '../../../src/trainer/supervisor/trainer-error.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const finetune = { kind: 'finetune', batchSize: 12, microBatchSize: 12 } as FinetuneJob;
const evaluate = { kind: 'evaluate', batchSize: 8 } as EvaluateJob;
const outOfMemory = () => new TrainerError({ kind: 'memory', retryable: false, message: 'OOM when allocating' });

/** Runs a job on a GPU that so many samples fit into; returns the sizes tried. */
async function onGpu(folder: string, job: JobSpec, fits: number): Promise<{ tried: number[]; error?: TrainerError }> {
  const tried: number[] = [];
  const run = async (attempt: JobSpec) => {
    const size = attempt.kind === 'finetune' ? attempt.microBatchSize : (attempt as EvaluateJob).batchSize;
    tried.push(size);
    if (size > fits) throw outOfMemory();
  };
  return retryWithSmallerBatch(folder, job, run).then(
    () => ({ tried }),
    (error) => ({ tried, error }),
  );
}

test('out of memory, a job is retried with fewer samples at once until it fits; parts always make whole batches', async () => {
  expect(await onGpu(await temporaryFolder(), finetune, 4)).toEqual({ tried: [12, 6, 3] });
  expect(await onGpu(await temporaryFolder(), { ...finetune, batchSize: 7, microBatchSize: 7 }, 3)).toEqual({
    tried: [7, 1],
  });
  expect(await onGpu(await temporaryFolder(), evaluate, 2)).toEqual({ tried: [8, 4, 2] });
});

test('a later attempt starts with the size that was found to fit', async () => {
  const folder = await temporaryFolder();
  await onGpu(folder, finetune, 4);
  expect(JSON.parse(await readFile(join(folder, 'fits-in-memory.json'), 'utf8'))).toEqual({ batchSize: 3 });
  expect(await onGpu(folder, finetune, 4)).toEqual({ tried: [3] });
});

test('a single sample that does not fit is not retried, and the error names what to change', async () => {
  const { tried, error } = await onGpu(await temporaryFolder(), finetune, 0);
  expect(tried).toEqual([12, 6, 3, 1]);
  expect(error?.message).toMatch(/OOM.*one sample at a time.*finetune\.activationCheckpointing/);
  expect(toActivityFailure(error)).toMatchObject({ nonRetryable: true, type: 'Trainer:memory' });
});

test('other failures are passed on', async () => {
  const crash = new TrainerError({ kind: 'crashed', retryable: true, message: 'gone' });
  let runs = 0;
  const run = async () => {
    runs += 1;
    throw crash;
  };
  await expect(retryWithSmallerBatch(await temporaryFolder(), finetune, run)).rejects.toBe(crash);
  expect(runs).toBe(1);
});
