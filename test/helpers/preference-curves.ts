/** The curves that test/fixtures/make-preference-fixture.py recorded with TRL's loss, and the same finetunes as jobs. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { readJson, readJsonLines } from '../../src/core/read-json.ts';
import { writeJsonLines } from '../../src/core/write-file.ts';
import { preferenceSampleSchema } from '../../src/datasets/preference-pairs.ts';
import { lossRecordSchema } from '../../src/trainer/jobs/finetune/loss-log.ts';
import { type FinetuneJob, finetuneJobSchema } from '../../src/trainer/protocol.ts';
import { maximumDifference } from './jobs.ts';
import { recorded as recordedTrainer, type TrainerCurve, trainerCurveJobs } from './trainer-curves.ts';

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));
const folder = path.join(fixtures, 'preference');

const settings = finetuneJobSchema.shape.preference.unwrap().shape;
const curveSchema = z.strictObject({
  name: z.string(),
  preference: z.strictObject({
    beta: settings.beta,
    labelSmoothing: settings.labelSmoothing,
    lengthNormalized: settings.lengthNormalized,
    sftWeight: settings.sftWeight,
  }),
  /** Folder of the reference's adapter; null for the base model. */
  reference: z.string().nullable(),
  /** Of all chosen answers, and of all rejected ones. */
  referenceLogProbabilities: z.tuple([z.array(z.number()), z.array(z.number())]),
  steps: z.array(
    z.strictObject({
      loss: z.number(),
      preferenceLoss: z.number(),
      rewardMargin: z.number(),
      rewardAccuracy: z.number(),
    }),
  ),
});
export type PreferenceCurve = z.output<typeof curveSchema>;

/** What came of TRL's loss. */
export const preferenceCurves = (
  await readJson(path.join(folder, 'curves.json'), z.strictObject({ curves: z.array(curveSchema) }))
).curves;

/**
 * Writes what the jobs read into a folder.
 *
 * @returns a job for a curve, which writes into a folder of this name
 */
export async function preferenceJobs(
  inFolder: string,
): Promise<(curve: PreferenceCurve, output: string, changes?: Partial<FinetuneJob>) => FinetuneJob> {
  const jobOf = await trainerCurveJobs(inFolder);
  const pairs = path.join(inFolder, 'pairs.jsonl');
  const samples = await readJsonLines(path.join(folder, 'pairs.jsonl'), preferenceSampleSchema);
  const imagesOf = path.join(fixtures, 'trainer-curves');
  await writeJsonLines(
    pairs,
    samples.map((sample) => ({ ...sample, image: path.join(imagesOf, sample.image as string) })),
  );
  const constant = recordedTrainer.curves.find(({ name }) => name === 'constant') as TrainerCurve;
  return (curve, output, changes) =>
    jobOf(constant, output, {
      steps: curve.steps.length,
      checkpointEverySteps: 4,
      preference: {
        pairs,
        order: path.join(folder, 'order.json'),
        batchSize: 4,
        ...curve.preference,
        referenceAdapter: curve.reference === null ? undefined : path.join(imagesOf, curve.reference),
      },
      ...changes,
    });
}

const figures = ['loss', 'preferenceLoss', 'rewardMargin', 'rewardAccuracy'] as const;
type Figures = { readonly [Figure in (typeof figures)[number]]?: number | undefined };

/** By how much a finetune's curve differs from another one, at most; and whether it has as many steps and all figures. */
export async function differenceFrom({ steps }: { steps: readonly Figures[] }, output: string): Promise<number> {
  const records = await readJsonLines(path.join(output, 'loss.jsonl'), lossRecordSchema);
  const valuesOf = (curve: readonly Figures[], figure: keyof Figures) => curve.flatMap((step) => step[figure] ?? []);
  const differences = figures.map((figure) => maximumDifference(valuesOf(records, figure), valuesOf(steps, figure)));
  return Math.max(...differences);
}
