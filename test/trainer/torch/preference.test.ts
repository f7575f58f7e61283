/** Preference pairs on PyTorch, against TRL's loss: see test/helpers/preference-curves.ts. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import {
  differenceFrom,
  type PreferenceCurve,
  preferenceCurves,
  preferenceJobs,
} from '../../helpers/preference-curves.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { killLastRank, runTorch, TORCH_TIMEOUTS, torchIsSetUp } from './torch-jobs.ts';

vi.setConfig(TORCH_TIMEOUTS);

const beside = preferenceCurves.find(({ preference }) => preference.sftWeight > 0) as PreferenceCurve;

describe.skipIf(!torchIsSetUp)("over two processes, TRL's losses and rewards", () => {
  test.each(preferenceCurves)('$name', async (curve) => {
    const jobOf = await preferenceJobs(await temporaryFolder());
    const job = jobOf(curve, 'output');
    const { metrics } = await runTorch(job, job.output);
    expect(await differenceFrom(curve, job.output)).toBeLessThan(1e-4);
    const mean = curve.steps.reduce((sum, step) => sum + step.rewardMargin, 0) / curve.steps.length;
    expect(metrics.rewardMargin).toBeCloseTo(mean, 4);
  });

  test('with weights sharded by FSDP, layers computed anew, and fewer pairs at once', async () => {
    const jobOf = await preferenceJobs(await temporaryFolder());
    const job = jobOf(beside, 'output', { activationCheckpointing: true, microBatchSize: 2 });
    await runTorch(job, job.output, { sharding: 'fsdp' });
    expect(await differenceFrom(beside, job.output)).toBeLessThan(1e-4);
  });

  test('killed in the middle, it resumes to the same bytes', async () => {
    const jobOf = await preferenceJobs(await temporaryFolder());
    const [alone, killed] = [jobOf(beside, 'alone'), jobOf(beside, 'killed')];
    await runTorch(alone, alone.output);
    await killLastRank(killed, killed.output);
    expect((await runTorch(killed, killed.output)).metrics.resumedAtStep).toBeGreaterThanOrEqual(4);
    for (const file of ['adapter_model.safetensors', 'loss.jsonl']) {
      const [one, other] = await Promise.all([alone, killed].map(({ output }) => readFile(path.join(output, file))));
      expect(one?.equals(other as Buffer), file).toBe(true);
    }
  });
});
