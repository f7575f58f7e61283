/** Against `transformers.Trainer`: see test/helpers/trainer-curves.ts. */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readJsonLines } from '../../../../src/core/read-json.ts';
import { finetune } from '../../../../src/trainer/jobs/finetune/finetune.ts';
import { lossRecordSchema } from '../../../../src/trainer/jobs/finetune/loss-log.ts';
import { maximumDifference, recordingReporter } from '../../../helpers/jobs.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { recorded, trainerCurveJobs } from '../../../helpers/trainer-curves.ts';

const schedules = recorded.curves.filter(({ validation }) => validation === undefined);

describe.each(schedules)("transformers.Trainer's losses, learning rates and norms: $name", (curve) => {
  test.each([4, 2])('with %d samples computed at once', async (microBatchSize) => {
    const jobOf = await trainerCurveJobs(await temporaryFolder());
    const job = jobOf(curve, 'output', { microBatchSize });
    await finetune(job, recordingReporter());
    const records = await readJsonLines(path.join(job.output, 'loss.jsonl'), lossRecordSchema);
    const values = (key: 'loss' | 'learningRate' | 'gradientNorm') => records.flatMap((record) => record[key] ?? []);
    expect(maximumDifference(values('loss'), curve.losses)).toBeLessThan(1e-4);
    expect(maximumDifference(values('learningRate'), curve.learningRates)).toBeLessThan(1e-9);
    expect(maximumDifference(values('gradientNorm'), curve.gradientNorms ?? [])).toBeLessThan(1e-3);
  });
});
