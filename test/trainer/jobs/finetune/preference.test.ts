/** Preference pairs, against TRL's loss: see test/helpers/preference-curves.ts. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readJson, readJsonLines } from '../../../../src/core/read-json.ts';
import { finetune } from '../../../../src/trainer/jobs/finetune/finetune.ts';
import { lossRecordSchema } from '../../../../src/trainer/jobs/finetune/loss-log.ts';
import { pairsAtOnce } from '../../../../src/trainer/jobs/finetune/pairs.ts';
import type { FinetuneJob } from '../../../../src/trainer/protocol.ts';
import { lossesIn, maximumDifference, recordingReporter } from '../../../helpers/jobs.ts';
import {
  differenceFrom,
  type PreferenceCurve,
  preferenceCurves,
  preferenceJobs,
} from '../../../helpers/preference-curves.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';

const [first] = preferenceCurves as [PreferenceCurve];
const beside = preferenceCurves.find(({ preference }) => preference.sftWeight > 0) as PreferenceCurve;

const noDropout = { rank: 4, alpha: 8, dropout: 0 };

const referenceSchema = z.object({ pairs: z.array(z.tuple([z.number(), z.tuple([z.number(), z.number()])])) });

describe.each(preferenceCurves)("TRL's losses and rewards: $name", (curve) => {
  test.each([4, 2])('with %d samples, or half as many pairs, computed at once', async (microBatchSize) => {
    const jobOf = await preferenceJobs(await temporaryFolder());
    const job = jobOf(curve, 'output', { microBatchSize });
    const { metrics } = await finetune(job, recordingReporter());
    expect(await differenceFrom(curve, job.output)).toBeLessThan(1e-4);
    const { pairs } = await readJson(path.join(job.output, 'checkpoints', 'reference.json'), referenceSchema);
    for (const [pair, both] of pairs) {
      const wanted = curve.referenceLogProbabilities.map((values) => values[pair] as number);
      expect(maximumDifference(both, wanted)).toBeLessThan(1e-4);
    }
    const mean = curve.steps.reduce((sum, step) => sum + step.rewardMargin, 0) / curve.steps.length;
    expect(metrics.rewardMargin).toBeCloseTo(mean, 4);
  });
});

test('with layers computed anew for their gradients the curve is the same', async () => {
  const jobOf = await preferenceJobs(await temporaryFolder());
  const job = jobOf(beside, 'output', { activationCheckpointing: true });
  await finetune(job, recordingReporter());
  expect(await differenceFrom(beside, job.output)).toBeLessThan(1e-4);
});

const parts: Record<string, Partial<FinetuneJob>> = {
  'the vision side by rsLoRA, the projection whole': {
    lora: { ...noDropout, targetModules: { language: ['q_proj'], vision: ['qkv', 'query'] }, rslora: true },
    trainable: ['projection'],
  },
  'the projector by DoRA': {
    lora: { ...noDropout, targetModules: { projector: ['language_projection'] }, dora: true },
  },
};

test.each(Object.entries(parts))('%s: the reference is the model before all that is trained', async (_, changes) => {
  const jobOf = await preferenceJobs(await temporaryFolder());
  const job = jobOf(first, 'output', { ...changes, startAdapter: undefined });
  await finetune(job, recordingReporter());
  const { pairs } = await readJson(path.join(job.output, 'checkpoints', 'reference.json'), referenceSchema);
  for (const [pair, both] of pairs) {
    const wanted = first.referenceLogProbabilities.map((values) => values[pair] as number);
    expect(maximumDifference(both, wanted)).toBeLessThan(1e-4);
  }
  const records = await readJsonLines(path.join(job.output, 'loss.jsonl'), lossRecordSchema);
  expect(records[0]?.rewardMargin).toBeCloseTo(0, 4);
  expect(records.at(-1)?.rewardMargin).toBeGreaterThan(0);
});

test('beside samples, their own loss is logged without its weight', async () => {
  const jobOf = await preferenceJobs(await temporaryFolder());
  const job = jobOf(beside, 'output');
  await finetune(job, recordingReporter());
  for (const record of await readJsonLines(path.join(job.output, 'loss.jsonl'), lossRecordSchema)) {
    const { loss, sftLoss = Number.NaN, preferenceLoss = Number.NaN } = record;
    expect(loss).toBeCloseTo(beside.preference.sftWeight * sftLoss + preferenceLoss, 6);
  }
});

describe('an interrupted run', () => {
  const dropout = { rank: 4, alpha: 8, dropout: 0.2, targetModules: ['q_proj', 'v_proj', 'down_proj'] as const };
  const changes: Partial<FinetuneJob> = {
    lora: { ...dropout, targetModules: [...dropout.targetModules] as [string, ...string[]] },
  };

  test('ends as one that was never stopped, and asks its reference once', async () => {
    const jobOf = await preferenceJobs(await temporaryFolder());
    const [whole, stopped] = [jobOf(beside, 'whole', changes), jobOf(beside, 'stopped', changes)];
    await finetune(whole, recordingReporter());
    await expect(finetune(stopped, recordingReporter(6))).rejects.toThrow('asked to stop');
    const phases: (string | undefined)[] = [];
    const reporter = recordingReporter();
    const { metrics } = await finetune(stopped, {
      ...reporter,
      progress: (progress) => phases.push(progress.phase),
    });
    expect(metrics.resumedAtStep).toBe(6);
    expect(phases).not.toContain('reference');
    for (const file of ['loss.jsonl', 'adapter_model.safetensors']) {
      const [one, other] = await Promise.all([whole, stopped].map(({ output }) => readFile(path.join(output, file))));
      expect(one?.equals(other as Buffer), file).toBe(true);
    }
  });

  test('with other pairs it is another job', async () => {
    const jobOf = await preferenceJobs(await temporaryFolder());
    const job = jobOf(first, 'output');
    await expect(finetune(job, recordingReporter(6))).rejects.toThrow('asked to stop');
    const { pairs } = job.preference as NonNullable<FinetuneJob['preference']>;
    await writeFile(pairs, (await readFile(pairs, 'utf8')).replaceAll('cat', 'dog'));
    const reporter = recordingReporter();
    expect((await finetune(job, reporter)).metrics.resumedAtStep).toBe(0);
    expect(reporter.notes.join()).toContain('belongs to another job');
  });
});

test('where samples weigh nothing, none is trained on', async () => {
  const jobOf = await preferenceJobs(await temporaryFolder());
  const [job, other] = [jobOf(first, 'output'), jobOf(first, 'other')];
  await writeFile(other.samples, (await readFile(other.samples, 'utf8')).replaceAll('red', 'blue'));
  await finetune(job, recordingReporter());
  await finetune(other, recordingReporter());
  expect(await lossesIn(other.output)).toEqual(await lossesIn(job.output));
});

describe('wrong input', () => {
  const startOf = path.join(import.meta.dirname, '../../../fixtures/trainer-curves/start');
  const failing = async (changes: (job: FinetuneJob) => Promise<Partial<FinetuneJob>>) => {
    const jobOf = await preferenceJobs(await temporaryFolder());
    const job = jobOf(first, 'output');
    return finetune({ ...job, ...(await changes(job)) }, recordingReporter());
  };

  test('an order that is too short', async () => {
    await expect(failing(async () => ({ steps: 11 }))).rejects.toMatchObject({
      name: 'InputError',
      problem: 'holds 40 pairs, but 11 steps of 4 need 44',
    });
  });

  test('an answer of which nothing is left', async () => {
    await expect(failing(async () => ({ maximumTokens: 9 }))).rejects.toMatchObject({
      name: 'InputError',
      field: 'chosen',
      problem: 'nothing of it is left: finetune.maximumTokens is 9',
    });
  });

  test('a reference of another rank than what is trained', async () => {
    const lora = { rank: 2, alpha: 8, dropout: 0, targetModules: ['q_proj'] as [string] };
    const failure = failing(async ({ preference }) => ({
      lora,
      startAdapter: undefined,
      preference: { ...(preference as NonNullable<typeof preference>), referenceAdapter: startOf },
    }));
    await expect(failure).rejects.toMatchObject({
      name: 'InputError',
      field: 'r',
      remedy: 'Keep finetune.lora as it was, or set finetune.preference.reference: adapterOff',
    });
  });
});

test.each([
  [8, 16, 8],
  [8, 8, 4],
  [6, 8, 3],
  [8, 1, 1],
  [3, 64, 3],
])('of %d pairs a step and %d samples at once, %d pairs are computed at once', (pairs, samples, size) => {
  expect(pairsAtOnce(pairs, samples)).toBe(size);
});
