/**
 * A step whose work is done by the trainer.
 */
import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { fenceFile } from '../../core/fence.ts';
import { fileExists } from '../../core/files.ts';
import { InputError } from '../../core/input-error.ts';
import type { Manifest, StepResult } from '../../core/manifest.ts';
import { runStepOnce, startedName } from '../../core/manifest.ts';
import { familyOf, promptFormWith } from '../../model/families/index.ts';
import type { TokenBoundaries } from '../../model/families/prompt-form.ts';
import { readEndTokens } from '../../model/files/generation-config.ts';
import { isOfBuiltInFamily, readModelConfig } from '../../model/files/model-config.ts';
import { hasPreprocessorConfig, readPreprocessorConfig } from '../../model/images/processor-config.ts';
import { specialIdProblem, specialIds } from '../../model/text/special-ids.ts';
import { loadTokenizer } from '../../model/text/tokenizer.ts';
import { type JobOutcome, type JobSpec, type Progress, type TrainerMessage, trainerVersion } from '../protocol.ts';
import { killPreviousTrainer } from './fence.ts';
import { imageFields } from './image-fields.ts';
import { plannedMemory } from './planned-memory.ts';
import { retryWithSmallerBatch } from './retry-with-smaller-batch.ts';
import { runTrainer } from './run-trainer.ts';
import { type TorchSettings, type TrainerCommand, torchTrainer } from './trainer-command.ts';

/** What running the trainer takes of a step's context. */
export interface TrainerContext {
  config: Partial<Pick<Config, 'trainer' | 'processes' | 'sharding'>> & {
    data?: Pick<Config['data'], 'exif'> | undefined;
    model?: Partial<Pick<Config['model'], 'tokenBoundaries' | 'image'>> | undefined;
    temporal: { stallTimeoutSeconds: number };
  };
  onProgress(progress: Progress): void;
  /** Aborted when the step should stop; the step then throws the signal's reason. */
  signal: AbortSignal;
  /** The program that runs GPU jobs. Default: our own trainer. */
  trainer?: TrainerCommand | undefined;
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
  /** Whether a result of the same inputs is to be computed again. */
  redo?: boolean;
  /** Writes what the job reads, and returns the job. */
  prepare: () => Promise<JobSpec>;
  /** Names the files to keep a hash of; may finish what the trainer left. Default: the outputs that it names. */
  finish?: (outcome: JobOutcome) => Promise<StepResult>;
}

/** Runs the trainer, unless this was done already from the same inputs. */
export async function runTrainerStep({
  context,
  directory,
  step,
  inputs,
  trainer = context.config.trainer,
  redo = false,
  prepare,
  finish,
}: TrainerStep): Promise<{ manifest: Manifest; skipped: boolean }> {
  // Before anything is removed from the folder: a trainer that outlived its worker may still write there.
  await killPreviousTrainer(directory);
  const { exif } = inputsOfTrainer(context.config, trainer);
  return runStepOnce({
    directory,
    step,
    inputs: { ...inputs, ...inputsOfTrainer(context.config, trainer) },
    redo: () => redo,
    work: async ({ attempt }) => {
      const fence = { started: join(directory, startedName), attempt, lost: fenceFile() };
      const outcome = await runJob(context, directory, { ...(await prepare()), exif, fence }, trainer);
      return finish === undefined ? outcome : finish(outcome);
    },
  });
}

/** What the result of every job depends on, besides the job: a part of the inputs of each step that runs the trainer. */
export function inputsOfTrainer(config: TrainerContext['config'], trainer: Config['trainer'] | undefined) {
  return {
    exif: config.data?.exif ?? 'apply',
    tokenBoundaries: config.model?.tokenBoundaries ?? 'separate',
    trainerVersion,
    ...(trainer === 'torchrun' && { trainer, image: config.model?.image }),
  };
}

/** Runs the trainer on a job, whatever was done before. `directory` is for its log and what else it leaves. */
export async function runJob(
  context: TrainerContext,
  directory: string,
  job: JobSpec,
  trainer = context.config.trainer,
): Promise<JobOutcome> {
  const limits = trainer === 'torchrun' ? context.config.model?.image : undefined;
  return retryWithSmallerBatch(
    directory,
    await withFamily(
      limits ? { ...job, image: await imageFields(job.model, limits) } : job,
      context.config.model?.tokenBoundaries,
    ),
    async (attempted) =>
      runTrainer({
        job: attempted,
        directory,
        command:
          context.trainer ??
          (trainer === 'torchrun' ? await torchTrainer(settingsFor(attempted, context.config)) : undefined),
        stallTimeoutSeconds: context.config.temporal.stallTimeoutSeconds,
        signal: context.signal,
        // PyTorch, or a trainer of one's own, takes something else.
        plannedMemory: context.trainer || trainer === 'torchrun' ? undefined : () => plannedMemory(attempted),
        onMessage: progressReporter(context),
      }),
  );
}

/** The job with what a trainer has to know of its model's family, if that is implemented here. */
export async function withFamily<Job extends { kind: JobSpec['kind'] | 'serve' } & Pick<JobSpec, 'model' | 'family'>>(
  job: Job,
  boundaries: TokenBoundaries = 'separate',
): Promise<Job> {
  if (job.family) return job;
  // A trainer of one's own may have models of a kind of its own.
  if (!(await fileExists(join(job.model, 'config.json'))) || !(await isOfBuiltInFamily(job.model))) {
    // Images are embedded without words, and CLIP may do that for a MiniGPT-4.
    if (boundaries === 'separate' || job.kind === 'embed') return job;
    throw new InputError({
      file: job.model,
      field: 'model.tokenBoundaries',
      problem: `is ${boundaries}, which the reference system has for MiniGPT-4 alone`,
      remedy: 'Set model.tokenBoundaries: separate',
    });
  }
  const config = await readModelConfig(job.model);
  // Whichever trainer it is: what is not known of a processor is refused before the trainer starts.
  if (await hasPreprocessorConfig(job.model)) await readPreprocessorConfig(job.model);
  const family = familyOf(config);
  const { imageTokens } = family;
  const promptForm = promptFormWith(family, boundaries, job.model);
  // Images are embedded without a tokenizer.
  if (!(await fileExists(join(job.model, 'tokenizer.json')))) return { ...job, family: { promptForm, imageTokens } };
  const tokenizer = await loadTokenizer(job.model);
  const { ownEnds, writingProblem } = await readEndTokens(job.model).then(
    (ownEnds) => ({ ownEnds, writingProblem: undefined }),
    (error: unknown) => {
      if (!(error instanceof InputError)) throw error;
      return { ownEnds: undefined, writingProblem: error.message };
    },
  );
  const problem = specialIdProblem(config.text_config, tokenizer);
  const ids = { ...specialIds(config.text_config, tokenizer, ownEnds), problem, writingProblem };
  return { ...job, family: { promptForm, imageTokens, specialIds: ids } };
}

/** A merge is done by one process, and so is counting. */
function settingsFor({ kind }: JobSpec, { processes = 1, sharding }: TrainerContext['config']): TorchSettings {
  return { processes: kind === 'merge' || kind === 'measure' ? 1 : processes, sharding };
}

function progressReporter({ onProgress }: TrainerContext): (message: TrainerMessage) => void {
  let checkpoint: string | undefined;
  return (message) => {
    if (message.type === 'checkpoint') checkpoint = message.uri;
    if (message.type !== 'progress') return;
    const { type: _, ...progress } = message;
    onProgress({ ...progress, checkpoint });
  };
}
