/** The curves of `transformers.Trainer` that test/fixtures/make-trainer-curves-fixture.py recorded, and the same finetunes as jobs. */
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { readJson, readJsonLines } from '../../src/core/read-json.ts';
import { writeJsonLines } from '../../src/core/write-file.ts';
import { trainingSampleSchema } from '../../src/datasets/train-dataset.ts';
import { openSafetensors } from '../../src/model/files/safetensors.ts';
import { validationLossSchema } from '../../src/trainer/job-files.ts';
import { type FinetuneJob, finetuneJobSchema } from '../../src/trainer/protocol.ts';
import { maximumDifference } from './jobs.ts';

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));
const folder = path.join(fixtures, 'trainer-curves');

const job = finetuneJobSchema.shape;
const curveSchema = z.strictObject({
  name: z.string(),
  /** What of the job differs from the others'. */
  job: z.strictObject({
    learningRate: job.learningRate.partial(),
    maximumGradientNorm: job.maximumGradientNorm,
    adam: job.adam,
    weightDecay: job.weightDecay.optional(),
  }),
  validation: z.strictObject({ everySteps: z.number(), patience: z.number(), minimumChange: z.number() }).optional(),
  losses: z.array(z.number()),
  learningRates: z.array(z.number()),
  gradientNorms: z.array(z.number()).optional(),
  validated: z.array(z.strictObject({ step: z.number(), loss: z.number() })).optional(),
  keptStep: z.number().optional(),
});
export type TrainerCurve = z.output<typeof curveSchema>;

const recordedSchema = z.strictObject({
  curves: z.array(curveSchema),
  passes: z.array(
    z.strictObject({ samples: z.number(), batchSize: z.number(), epochs: z.number(), steps: z.number() }),
  ),
});

/** What Trainer did. */
export const recorded = await readJson(path.join(folder, 'curves.json'), recordedSchema);

/**
 * Writes what the jobs read into a folder.
 *
 * @returns a job for a curve, which writes into a folder of this name; it has no validation
 */
export async function trainerCurveJobs(
  inFolder: string,
): Promise<(curve: TrainerCurve, output: string, changes?: Partial<FinetuneJob>) => FinetuneJob> {
  const model = path.join(inFolder, 'model');
  await cp(path.join(fixtures, 'tiny-blip2'), model, { recursive: true });
  await cp(path.join(folder, 'tokenizer.json'), path.join(model, 'tokenizer.json'));
  for (const name of ['samples', 'held-out']) {
    const samples = await readJsonLines(path.join(folder, `${name}.jsonl`), trainingSampleSchema);
    const located = samples.map(({ image, ...sample }) => ({ ...sample, image: path.join(folder, image as string) }));
    await writeJsonLines(path.join(inFolder, `${name}.jsonl`), located);
  }
  return (curve, output, changes) => ({
    kind: 'finetune',
    model,
    samples: path.join(inFolder, 'samples.jsonl'),
    order: path.join(folder, 'order.json'),
    output: path.join(inFolder, output),
    startAdapter: path.join(folder, 'start'),
    lora: { rank: 4, alpha: 8, dropout: 0, targetModules: ['q_proj', 'v_proj', 'down_proj'] },
    steps: 24,
    batchSize: 4,
    microBatchSize: 4,
    activationCheckpointing: false,
    computeDtype: 'float32',
    weightDtype: 'float32',
    maximumTokens: 60,
    checkpointEverySteps: 5,
    seed: 1,
    ...curve.job,
    weightDecay: curve.job.weightDecay ?? 0.05,
    learningRate: { initial: 0, peak: 1, final: 0, warmupSteps: 0, ...curve.job.learningRate },
    ...changes,
  });
}

/** The finetune that ended when its validation loss no longer fell, and what its job has besides the curve's. */
export function stoppedEarly(inFolder: string) {
  const curve = recorded.curves.find(({ validation }) => validation !== undefined);
  if (!curve?.validation) throw new Error('no such curve');
  const { everySteps, patience, minimumChange } = curve.validation;
  const samples = path.join(inFolder, 'held-out.jsonl');
  const validationLoss = { samples, everySteps, stopAfter: patience, minimumChange, keepsBest: true };
  return { curve, changes: { validationLoss } };
}

/** The validation losses of a finetune. */
export function validationLossesIn(output: string) {
  return readJsonLines(path.join(output, 'validation-loss.jsonl'), validationLossSchema);
}

/** The largest difference between the adapter that a job kept and the one that Trainer kept. */
export async function differenceFromKept(output: string): Promise<number> {
  const [ours, theirs] = await Promise.all(
    [output, path.join(folder, 'kept')].map((one) => openSafetensors(path.join(one, 'adapter_model.safetensors'))),
  );
  if (!ours || !theirs) throw new Error('no adapters');
  if (ours.tensors.size !== theirs.tensors.size) throw new Error('other tensors');
  let most = 0;
  for (const name of ours.tensors.keys()) {
    most = Math.max(most, maximumDifference(await ours.read(name), await theirs.read(name)));
  }
  await Promise.all([ours.close(), theirs.close()]);
  return most;
}
