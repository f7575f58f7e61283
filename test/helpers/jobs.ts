/** Trainer jobs run within the test's own process. */
import path from 'node:path';
import { readJsonLines } from '../../src/core/read-json.ts';
import { lossRecordSchema } from '../../src/trainer/jobs/finetune/loss-log.ts';
import type { FinetuneJob } from '../../src/trainer/protocol.ts';
import type { JobReporter } from '../../src/trainer/trainer-side.ts';
import type { TinyMixture } from './tiny-model.ts';

export interface RecordingReporter extends JobReporter {
  steps: number[];
  checkpoints: { step: number; uri: string }[];
  notes: string[];
}

/**
 * Remembers what a job says.
 *
 * @param stopAfterStep the job is asked to stop once it has done this training step
 */
export function recordingReporter(stopAfterStep?: number): RecordingReporter {
  const abort = new AbortController();
  const steps: number[] = [];
  const checkpoints: { step: number; uri: string }[] = [];
  const notes: string[] = [];
  return {
    steps,
    checkpoints,
    notes,
    signal: abort.signal,
    note: (message) => notes.push(message),
    requireFence: () => undefined,
    checkpoint: (checkpoint) => checkpoints.push(checkpoint),
    progress: ({ phase, step }) => {
      if (phase !== undefined) return;
      steps.push(step);
      if (step === stopAfterStep) abort.abort(new Error('asked to stop'));
    },
  };
}

/** A finetune of the tiny model, dropout included. The mixture must hold `steps * 2` draws. */
export function tinyFinetune(
  model: string,
  mixture: TinyMixture,
  output: string,
  changes: Partial<FinetuneJob> = {},
): FinetuneJob {
  return {
    kind: 'finetune',
    model,
    samples: mixture.samplesFile,
    order: mixture.orderFile,
    output,
    lora: { rank: 4, alpha: 8, dropout: 0.1, targetModules: ['q_proj', 'v_proj', 'down_proj'] },
    weightDecay: 0.05,
    learningRate: { initial: 1e-4, peak: 1e-2, final: 1e-4, warmupSteps: 4 },
    steps: 20,
    batchSize: 2,
    microBatchSize: 2,
    activationCheckpointing: false,
    computeDtype: 'float32',
    weightDtype: 'float32',
    maximumTokens: 200,
    checkpointEverySteps: 6,
    seed: 3,
    ...changes,
  };
}

/** The losses of a finetune, step by step. */
export async function lossesIn(output: string): Promise<number[]> {
  const records = await readJsonLines(path.join(output, 'loss.jsonl'), lossRecordSchema);
  return records.map(({ step, loss }, index) => {
    if (step !== index + 1) throw new Error(`line ${index + 1} is of step ${step}`);
    return loss;
  });
}

/** The largest difference between two lists of one length. */
export function maximumDifference(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  if (found.length !== wanted.length) throw new Error(`${found.length} values where ${wanted.length} were expected`);
  return Array.from(found).reduce(
    (most, value, index) => Math.max(most, Math.abs(value - (wanted[index] as number))),
    0,
  );
}
