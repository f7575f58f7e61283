/** What the trainer on PyTorch does with the finetunes of test/helpers/trainer-curves.ts. */
import path from 'node:path';
import { expect } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { lossRecordSchema } from '../../../src/trainer/jobs/finetune/loss-log.ts';
import type { TorchSettings } from '../../../src/trainer/supervisor/trainer-command.ts';
import { maximumDifference } from '../../helpers/jobs.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { type TrainerCurve, trainerCurveJobs } from '../../helpers/trainer-curves.ts';
import { runTorch } from './torch-jobs.ts';

/** Expects a curve of Trainer's. */
export async function expectCurve(curve: TrainerCurve, settings: TorchSettings): Promise<void> {
  const jobOf = await trainerCurveJobs(await temporaryFolder());
  const job = jobOf(curve, 'output');
  await runTorch(job, job.output, settings);
  const records = await readJsonLines(path.join(job.output, 'loss.jsonl'), lossRecordSchema);
  const values = (key: 'loss' | 'learningRate' | 'gradientNorm') => records.flatMap((record) => record[key] ?? []);
  expect(maximumDifference(values('loss'), curve.losses)).toBeLessThan(1e-4);
  expect(maximumDifference(values('learningRate'), curve.learningRates)).toBeLessThan(1e-9);
  expect(maximumDifference(values('gradientNorm'), curve.gradientNorms ?? [])).toBeLessThan(1e-3);
}
