/** What the trainer on PyTorch does with the finetune of test/helpers/trainer-curves.ts that stops early. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import type { TorchSettings } from '../../../src/trainer/supervisor/trainer-command.ts';
import { lossesIn, maximumDifference } from '../../helpers/jobs.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import {
  differenceFromKept,
  stoppedEarly,
  trainerCurveJobs,
  validationLossesIn,
} from '../../helpers/trainer-curves.ts';
import { killLastRank, runTorch } from './torch-jobs.ts';

/** Expects that a finetune whose process was killed resumes to the files of one that was left alone. */
export async function expectSameBytes(settings: TorchSettings): Promise<void> {
  const folder = await temporaryFolder();
  const jobOf = await trainerCurveJobs(folder);
  const { curve, changes } = stoppedEarly(folder);
  const [alone, killed] = [jobOf(curve, 'alone', changes), jobOf(curve, 'killed', changes)];
  await runTorch(alone, alone.output, settings);
  await killLastRank(killed, killed.output, settings);
  const { metrics } = await runTorch(killed, killed.output, settings);
  expect(metrics.resumedAtStep).toBeGreaterThanOrEqual(5);
  for (const file of ['adapter_model.safetensors', 'loss.jsonl', 'validation-loss.jsonl']) {
    const [one, other] = await Promise.all([alone, killed].map(({ output }) => readFile(path.join(output, file))));
    expect(one?.equals(other as Buffer), file).toBe(true);
  }
}

/** Expects Trainer's validation losses, its last step, and the adapter that it keeps. */
export async function expectEarlyStop(settings: TorchSettings): Promise<void> {
  const folder = await temporaryFolder();
  const jobOf = await trainerCurveJobs(folder);
  const { curve, changes } = stoppedEarly(folder);
  const job = jobOf(curve, 'output', changes);
  const { metrics, outputs } = await runTorch(job, job.output, settings);
  const found = await validationLossesIn(job.output);
  expect(found.map(({ step }) => step)).toEqual(curve.validated?.map(({ step }) => step));
  const wanted = curve.validated?.map(({ loss }) => loss) ?? [];
  expect(
    maximumDifference(
      found.map(({ loss }) => loss),
      wanted,
    ),
  ).toBeLessThan(1e-4);
  expect(maximumDifference(await lossesIn(job.output), curve.losses)).toBeLessThan(1e-4);
  expect(metrics).toMatchObject({ steps: curve.losses.length, keptStep: curve.keptStep });
  expect(outputs).toContain('validation-loss.jsonl');
  expect(await differenceFromKept(job.output)).toBeLessThan(1e-3);
}
