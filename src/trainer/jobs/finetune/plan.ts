/** What each step of a finetune trains on, tokenized. */
import { z } from 'zod';
import { InputError } from '../../../core/input-error.ts';
import { readJson, readJsonLines } from '../../../core/read-json.ts';
import { type TrainingSample, trainingSampleSchema } from '../../../datasets/train-dataset.ts';
import type { FinetuneJob, SettingsOf } from '../../protocol.ts';
import type { JobReporter } from '../../trainer-side.ts';
import { type BatchShape, batchShape, learnedTokens } from '../batch.ts';
import { requireConversations, sampleSequence, shownImages } from '../conversation.ts';
import type { PromptSettings, Sequence, TrainingSequence } from '../sequence.ts';
import { type LimitedSequence, withinSequence } from '../sequence-limit.ts';
import { padToFewShapes } from './batch-shapes.ts';

type FinetuneSettings = SettingsOf<FinetuneJob>;

/** What of a step is computed at once. */
export interface StepPart {
  /** The files of each sequence's images; undefined for a sequence without one. */
  images: (string | undefined)[][];
  sequences: Sequence[];
  shape: BatchShape;
}

/** Every step's parts, tokenized: all shapes are known, and all errors found, before the GPU is touched. */
export async function planSteps(
  prompts: PromptSettings,
  settings: FinetuneSettings,
  note: JobReporter['note'],
): Promise<StepPart[][]> {
  const { steps, batchSize, microBatchSize } = settings;
  const samples = await readJsonLines(settings.samples, trainingSampleSchema);
  const order = await readJson(settings.order, z.array(z.number().int().nonnegative().lt(samples.length)));
  if (order.length < steps * batchSize) {
    throw new InputError({
      file: settings.order,
      problem: `holds ${order.length} samples, but ${steps} steps of ${batchSize} need ${steps * batchSize}`,
      remedy: 'Materialize the mixture again for this number of steps',
    });
  }
  const used = new Set(order.slice(0, steps * batchSize));
  const tokenized = await tokenizeSamples(samples, prompts, settings, note, used);
  const partOf = (indices: readonly number[]): StepPart => {
    const sequences = indices.map((index) => tokenized[index] as Sequence);
    return {
      images: shownImages(
        indices.map((index) => samples[index] as TrainingSample),
        sequences,
      ),
      sequences,
      shape: batchShape(sequences),
    };
  };
  const parts = batchSize / microBatchSize;
  const all = Array.from({ length: steps * parts }, (_, place) =>
    partOf(order.slice(place * microBatchSize, (place + 1) * microBatchSize)),
  );
  const shapes = padToFewShapes(all.map(({ shape }) => shape));
  const padded = all.map((part, place) => ({ ...part, shape: shapes[place] as BatchShape }));
  return Array.from({ length: steps }, (_, step) => padded.slice(step * parts, (step + 1) * parts));
}

/**
 * Tokens of samples.
 *
 * @param settings.samples the file that the samples come from
 * @param used those that count, by their place. Default: all
 * @throws InputError for the first that is too long where it must not be, or when nothing is left to learn at all
 */
export async function tokenizeSamples(
  samples: readonly TrainingSample[],
  prompts: PromptSettings,
  settings: FinetuneSettings,
  note: JobReporter['note'],
  used: ReadonlySet<number> = new Set(samples.keys()),
): Promise<TrainingSequence[]> {
  requireConversations(settings.samples, samples, prompts.form, settings.model);
  const sequenceSettings = { ...prompts, maximumTokens: settings.maximumTokens };
  const tokenized = await Promise.all(
    samples.map(async (sample) =>
      withinSequence(await sampleSequence(sample, sequenceSettings), settings.maximumSequence, prompts.queries),
    ),
  );
  checkLengths(tokenized, used, settings, note);
  return tokenized;
}

/**
 * Says how many samples are cut.
 *
 * @param used the samples that are trained on, by their place
 * @throws InputError for the first that is too long where it must not be, or when nothing is left to learn at all
 */
function checkLengths(
  sequences: readonly LimitedSequence[],
  used: ReadonlySet<number>,
  { samples, maximumTokens, maximumSequence, tooLong }: FinetuneSettings,
  note: JobReporter['note'],
): void {
  const cut = [...used]
    .filter((index) => (sequences[index] as LimitedSequence).cut > 0)
    .sort((one, other) => one - other);
  if (cut.length === 0) return;
  const problemOf = (index: number, problem: string, remedy: string) =>
    new InputError({ file: samples, line: index + 1, field: 'prompt', problem, remedy });
  const crowded = cut.find((index) => sequences[index]?.hasNoRoom);
  if (crowded !== undefined) {
    throw problemOf(
      crowded,
      `has no room for words behind its image: finetune.maximumSequence is ${maximumSequence}`,
      'Raise finetune.maximumSequence or drop the sample',
    );
  }
  const limits = [
    ...(cut.some((index) => beyondTokens(sequences[index]) > 0) ? [`maximumTokens (${maximumTokens})`] : []),
    ...(cut.some((index) => sequences[index]?.beyondSequence) ? [`maximumSequence (${maximumSequence})`] : []),
  ].map((limit) => `finetune.${limit}`);
  const learned = (index: number) => learnedTokens([sequences[index] as TrainingSequence]);
  const empty = cut.filter((index) => learned(index) === 0).length;
  if (tooLong !== 'error' && empty < used.size) {
    note(
      `${cut.length} of ${used.size} samples are cut to ${limits.join(' or ')}; of ${empty} of them nothing is left to learn`,
    );
    return;
  }
  const [first] = cut as [number];
  const sequence = sequences[first] as LimitedSequence;
  if (tooLong !== 'error') {
    throw problemOf(
      first,
      `is longer than ${limits.join(' or ')}, as that of every sample: nothing is left to learn`,
      `Raise ${limits.join(' or ')} or drop the sample`,
    );
  }
  throw beyondTokens(sequence) > 0
    ? problemOf(
        first,
        `with its answer has ${maximumTokens + beyondTokens(sequence)} tokens; finetune.maximumTokens is ${maximumTokens}`,
        'Raise finetune.maximumTokens or drop the sample',
      )
    : problemOf(
        first,
        `has ${sequence.tokenIds.length + sequence.cut} tokens in all; finetune.maximumSequence is ${maximumSequence}`,
        'Raise finetune.maximumSequence or drop the sample',
      );
}

/** Tokens of question and answer that are beyond `maximumTokens`. */
const beyondTokens = ({ cut = 0, beyondSequence = 0 }: Partial<LimitedSequence> = {}) => cut - beyondSequence;
