/** A tiny model, a little to learn from, and the same finetune for both trainers. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { evaluationAnswerSchema } from '../../../src/trainer/job-files.ts';
import { finetune } from '../../../src/trainer/jobs/finetune/finetune.ts';
import type { FinetuneJob, MergeJob } from '../../../src/trainer/protocol.ts';
import { recordingReporter, tinyFinetune } from '../../helpers/jobs.ts';
import { type TinyMixture, writeTinyMixture, writeTinyModel } from '../../helpers/tiny-model.ts';

const STEPS = 12;
const BATCH = 4;

export interface TorchRig {
  folder: string;
  model: string;
  mixture: TinyMixture;
  /** A finetune without dropout that starts from an adapter, so that both trainers start alike. */
  job(output: string, changes?: Partial<FinetuneJob>): FinetuneJob;
  mergeJob(adapter: string, output: string): MergeJob;
  remove(): Promise<void>;
}

export async function torchRig(family: 'minigpt4' | 'llava'): Promise<TorchRig> {
  const folder = await mkdtemp(path.join(tmpdir(), 'torch-'));
  const model = path.join(folder, 'model');
  await writeTinyModel(model, { family });
  const mixture = await writeTinyMixture(path.join(folder, 'mixture'), STEPS * BATCH);
  const start = path.join(folder, 'start');
  const job: TorchRig['job'] = (output, changes) =>
    tinyFinetune(model, mixture, output, {
      startAdapter: start,
      lora: { rank: 4, alpha: 8, dropout: 0, targetModules: ['q_proj', 'v_proj', 'down_proj'] },
      steps: STEPS,
      batchSize: BATCH,
      microBatchSize: BATCH,
      checkpointEverySteps: 4,
      ...changes,
    });
  const beginning = { startAdapter: undefined, steps: 5, batchSize: 2, microBatchSize: 2 };
  await finetune(job(start, beginning), recordingReporter());
  return {
    folder,
    model,
    mixture,
    job,
    mergeJob: (adapter, output) => ({
      kind: 'merge',
      model,
      adapter,
      output,
      parity: { samples: mixture.samplesFile, count: 4, tolerance: 1e-3 },
    }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** What an evaluate job found: all losses, and the texts by question. */
export async function answersIn(output: string): Promise<{ losses: number[]; texts: (string | undefined)[] }> {
  const lines = await readJsonLines(output, evaluationAnswerSchema);
  return { losses: lines.flatMap(({ losses }) => losses), texts: lines.map(({ text }) => text) };
}
