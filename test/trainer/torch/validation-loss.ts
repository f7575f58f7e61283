/** What the trainer on PyTorch does with the finetune of test/helpers/trainer-curves.ts that stops early. */
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

/**
 * Expects Trainer's validation losses, its last step, and the adapter that it keeps.
 *
 * @param killed whether the first attempt is killed after its first checkpoint
 */
export async function expectEarlyStop(settings: TorchSettings, { killed }: { killed: boolean }): Promise<void> {
  const folder = await temporaryFolder();
  const jobOf = await trainerCurveJobs(folder);
  const { curve, changes } = stoppedEarly(folder);
  const job = jobOf(curve, 'output', changes);
  if (killed) await killLastRank(job, job.output, settings);
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
  expect(metrics.resumedAtStep).toBeGreaterThanOrEqual(killed ? 5 : 0);
  expect(outputs).toContain('validation-loss.jsonl');
  expect(await differenceFromKept(job.output)).toBeLessThan(1e-3);
}
