/** The curves of `transformers.Trainer` that test/fixtures/make-trainer-curves-fixture.py recorded, and the same finetunes as jobs. */
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { readJson, readJsonLines } from '../../src/core/read-json.ts';
import { writeJsonLines } from '../../src/core/write-file.ts';
import { trainingSampleSchema } from '../../src/datasets/train-dataset.ts';
import { type FinetuneJob, finetuneJobSchema } from '../../src/trainer/protocol.ts';

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

/** The adapter that Trainer kept of the finetune that stopped early. */
export const keptAdapter = path.join(folder, 'kept', 'adapter_model.safetensors');

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
