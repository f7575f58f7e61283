/**
 * A step whose work is done by the trainer.
 */
import type { Config } from '../config/schema.ts';
import type { Manifest, StepResult } from '../core/manifest.ts';
import { runStepOnce } from '../core/manifest.ts';
import type { JobOutcome, JobSpec } from '../trainer/protocol.ts';
import { killFormerTrainer } from '../trainer/supervisor/fence.ts';
import { runTrainer } from '../trainer/supervisor/run-trainer.ts';
import { type TorchSettings, torchTrainer } from '../trainer/supervisor/torch-trainer.ts';
import { withLessMemory } from './less-memory.ts';
import type { StepContext } from './step-context.ts';

/** The part of a step's context that running the trainer takes. */
export interface TrainerContext extends Pick<StepContext, 'onProgress' | 'signal' | 'trainer'> {
  config: Partial<Pick<Config, 'trainer' | 'processes' | 'sharding'>> & { temporal: { stallTimeoutSeconds: number } };
}

export interface TrainerStep {
  context: TrainerContext;
  /** The step's own folder. */
  directory: string;
  step: string;
  /** All that the result depends on: hashes and settings, never paths. */
  inputs: Record<string, unknown>;
  /** Default: the config's. */
  trainer?: Config['trainer'];
  /** Writes what the job reads, and says what the job is. */
  prepare: () => Promise<JobSpec>;
  /** Names the files to keep a hash of; may finish what the trainer left. Default: the outputs that it names. */
  finish?: (result: JobOutcome) => Promise<StepResult>;
}

/** Runs the trainer, unless this was done already from the same inputs. */
export async function runTrainerStep({
  context,
  directory,
  step,
  inputs,
  trainer = context.config.trainer,
  prepare,
  finish,
}: TrainerStep): Promise<{ manifest: Manifest; skipped: boolean }> {
  // Before anything is removed from the folder: a trainer that outlived its worker may still write there.
  await killFormerTrainer(directory);
  return runStepOnce({
    directory,
    step,
    inputs: trainer === 'torchrun' ? { ...inputs, trainer } : inputs,
    work: async () => {
      const result = await withLessMemory(directory, await prepare(), async (job) =>
        runTrainer({
          job,
          directory,
          command:
            context.trainer ??
            (trainer === 'torchrun' ? await torchTrainer(settingsFor(job, context.config)) : undefined),
          stallTimeoutSeconds: context.config.temporal.stallTimeoutSeconds,
          signal: context.signal,
          onMessage: progressReporter(context),
        }),
      );
      return finish === undefined ? result : finish(result);
    },
  });
}

/** A merge is done by one process. */
function settingsFor({ kind }: JobSpec, { processes = 1, sharding }: TrainerContext['config']): TorchSettings {
  return { processes: kind === 'merge' ? 1 : processes, sharding };
}

function progressReporter({ onProgress }: TrainerContext): NonNullable<Parameters<typeof runTrainer>[0]['onMessage']> {
  let checkpoint: string | undefined;
  return (message) => {
    if (message.type === 'checkpoint') checkpoint = message.uri;
    if (message.type !== 'progress') return;
    const { type: _, ...progress } = message;
    onProgress({ ...progress, checkpoint });
  };
}
