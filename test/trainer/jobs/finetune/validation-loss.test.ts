import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { finetune } from '../../../../src/trainer/jobs/finetune/finetune.ts';
import { stopsEarly } from '../../../../src/trainer/jobs/finetune/validation-loss.ts';
import { lossesIn, maximumDifference, recordingReporter } from '../../../helpers/jobs.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import {
  differenceFromKept,
  stoppedEarly,
  trainerCurveJobs,
  validationLossesIn,
} from '../../../helpers/trainer-curves.ts';

describe("transformers.Trainer's validation losses, its EarlyStoppingCallback and load_best_model_at_end", () => {
  test.each([4, 2])('with %d samples computed at once', async (microBatchSize) => {
    const folder = await temporaryFolder();
    const jobOf = await trainerCurveJobs(folder);
    const { curve, changes } = stoppedEarly(folder);
    const job = jobOf(curve, 'output', { ...changes, microBatchSize });
    const reporter = recordingReporter();
    const { outputs, metrics } = await finetune(job, reporter);

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
    expect(metrics.validationLoss).toBeCloseTo(Math.min(...wanted), 3);
    expect(outputs).toContain('validation-loss.jsonl');
    expect(reporter.notes.at(-1)).toBe('stopped after step 18 of 24: the validation loss did not improve');
    expect(await differenceFromKept(job.output)).toBeLessThan(1e-3);
  });
});

test('stopped at any step, it resumes to the same bytes', async () => {
  const folder = await temporaryFolder();
  const jobOf = await trainerCurveJobs(folder);
  const { curve, changes } = stoppedEarly(folder);
  const whole = jobOf(curve, 'whole', changes);
  const stopped = jobOf(curve, 'stopped', changes);
  await finetune(whole, recordingReporter());
  // A step whose loss was computed before, and one without; the best state was found before both.
  for (const step of [13, 16]) {
    await expect(finetune(stopped, recordingReporter(step))).rejects.toThrow('asked to stop');
  }
  const { metrics } = await finetune(stopped, recordingReporter());
  expect(metrics).toMatchObject({ resumedAtStep: 16, steps: 18, keptStep: 12 });
  for (const file of ['adapter_model.safetensors', 'loss.jsonl', 'validation-loss.jsonl']) {
    const [one, other] = await Promise.all([whole, stopped].map(({ output }) => readFile(path.join(output, file))));
    expect(one?.equals(other as Buffer), file).toBe(true);
  }
});

test('without stopAfter all steps are done, and without keepsBest the last state is kept', async () => {
  const folder = await temporaryFolder();
  const jobOf = await trainerCurveJobs(folder);
  const { curve, changes } = stoppedEarly(folder);
  const { samples } = changes.validationLoss;
  const job = jobOf(curve, 'output', { steps: 5, validationLoss: { samples, everySteps: 2, keepsBest: false } });
  const { metrics } = await finetune(job, recordingReporter());
  const losses = await validationLossesIn(job.output);
  expect(losses.map(({ step }) => step)).toEqual([2, 4, 5]);
  expect(metrics).toEqual({ loss: expect.any(Number), steps: 5, resumedAtStep: 0, validationLoss: losses[2]?.loss });

  const unwatched = jobOf(curve, 'unwatched', { steps: 5 });
  await finetune(unwatched, recordingReporter());
  const [one, other] = await Promise.all(
    [job, unwatched].map(({ output }) => readFile(path.join(output, 'adapter_model.safetensors'))),
  );
  expect(one?.equals(other as Buffer), 'looking at the loss changes nothing').toBe(true);

  const events = path.join(job.output, 'tensorboard');
  const [file] = await readdir(events);
  expect(await readFile(path.join(events, file as string), 'latin1')).toContain('validation loss');
});

test('images are seen whole, where those that are trained on are seen in parts', async () => {
  const folder = await temporaryFolder();
  const jobOf = await trainerCurveJobs(folder);
  const { curve, changes } = stoppedEarly(folder);
  const { samples } = changes.validationLoss;
  const lossesWith = async (output: string, augmentation: 'none' | 'random-resized-crop') => {
    const validationLoss = { samples, everySteps: 1, keepsBest: false };
    // Nothing is learned in the first step, whose learning rate is zero.
    const job = jobOf(curve, output, { steps: 2, augmentation, validationLoss });
    await finetune(job, recordingReporter());
    return validationLossesIn(job.output);
  };
  const [whole, inParts] = [await lossesWith('whole', 'none'), await lossesWith('parts', 'random-resized-crop')];
  expect(inParts[0]?.loss).toBeCloseTo(whole[0]?.loss as number, 5);
  expect(inParts[1]?.loss).not.toBe(whole[1]?.loss);
});

test('patience counts computations that improve by no more than the minimum change upon the lowest', () => {
  const losses = (...values: number[]) => values.map((loss, index) => ({ step: index + 1, loss }));
  expect(stopsEarly(losses(3, 2, 1), { stopAfter: 1 })).toBe(false);
  expect(stopsEarly(losses(3, 3), { stopAfter: 1 })).toBe(true);
  expect(stopsEarly(losses(3, 2.9, 2.8), { stopAfter: 2, minimumChange: 0.15 })).toBe(true);
  expect(stopsEarly(losses(3, 2.9, 2.7), { stopAfter: 2, minimumChange: 0.15 })).toBe(false);
  expect(stopsEarly(losses(1, 2, 3, 4), {})).toBe(false);
  expect(stopsEarly([], { stopAfter: 1 })).toBe(false);
});
