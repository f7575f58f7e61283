/** Preference pairs on PyTorch, against TRL's loss: see test/helpers/preference-curves.ts. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { finetune } from '../../../src/trainer/jobs/finetune/finetune.ts';
import { lossRecordSchema } from '../../../src/trainer/jobs/finetune/loss-log.ts';
import type { FinetuneJob } from '../../../src/trainer/protocol.ts';
import { recordingReporter } from '../../helpers/jobs.ts';
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

  test.each(['none', 'fsdp'] as const)(
    "with the vision side and the projection trained, sharding %s: the TensorFlow trainer's curve",
    async (sharding) => {
      const jobOf = await preferenceJobs(await temporaryFolder());
      const targetModules = { language: ['q_proj'], vision: ['qkv', 'query'] };
      const changes: Partial<FinetuneJob> = {
        lora: { rank: 4, alpha: 8, dropout: 0, targetModules, rslora: true },
        trainable: ['projection'],
        steps: 4,
      };
      const start = jobOf(beside, 'start', { ...changes, startAdapter: undefined, preference: undefined });
      await finetune(start, recordingReporter());
      const [ours, theirs] = ['ours', 'theirs'].map((name) =>
        jobOf(beside, name, { ...changes, startAdapter: start.output }),
      ) as [FinetuneJob, FinetuneJob];
      await finetune(ours, recordingReporter());
      await runTorch(theirs, theirs.output, { sharding });
      const steps = await readJsonLines(path.join(ours.output, 'loss.jsonl'), lossRecordSchema);
      expect(steps.map(({ preferenceLoss }) => preferenceLoss)).not.toContain(undefined);
      expect(await differenceFrom({ steps }, theirs.output)).toBeLessThan(1e-4);
    },
  );

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
