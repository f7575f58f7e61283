/** Preference pairs of a finetune: which of them each step learns from, tokenized. */
import { z } from 'zod';
import { InputError } from '../../../core/input-error.ts';
import { readJson, readJsonLines } from '../../../core/read-json.ts';
import { type PreferenceSample, preferenceSampleSchema } from '../../../datasets/preference-pairs.ts';
import type { FinetuneJob, SettingsOf } from '../../protocol.ts';
import type { JobReporter } from '../../trainer-side.ts';
import { type BatchShape, batchShape, collate, inBatches, learnedTokens } from '../batch.ts';
import { imagesFor, shownImages } from '../conversation.ts';
import type { PromptSettings, Sequence } from '../sequence.ts';
import type { ImageSource } from '../vision/image-features.ts';
import { padToFewShapes } from './batch-shapes.ts';
import type { BatchPart, FinetuneProgram, PairPart } from './finetune-program.ts';
import type { LossRecord } from './loss-log.ts';
import { tokenizeSamples } from './plan.ts';

type Settings = NonNullable<FinetuneJob['preference']>;

/** Pairs that are computed at once: what divides those of a step, and takes no more memory than a part of the samples. */
export function pairsAtOnce(batchSize: number, microBatchSize: number): number {
  const most = Math.max(1, Math.floor(microBatchSize / 2));
  const sizes = Array.from({ length: Math.min(most, batchSize) }, (_, index) => index + 1);
  return sizes.findLast((size) => batchSize % size === 0) as number;
}

/** What of a step's pairs is computed at once: their chosen answers, then their rejected ones. */
interface Part {
  /** Places of the pairs in their file. */
  pairs: readonly number[];
  sequences: readonly Sequence[];
  images: (string | undefined)[][];
  shape: BatchShape;
}

/** Of pairs by their place in the file: log probabilities of the chosen and the rejected answer. */
export type Reference = ReadonlyMap<number, readonly [chosen: number, rejected: number]>;

export interface Pairs {
  settings: Settings;
  /** Files of the images that the pairs show. */
  images: string[];
  shapes: BatchShape[];
  /** Parts of a step. */
  parts: number;
  /** Tokens of a step, padding among them. */
  tokens(step: number): number;
  /** Log probabilities of both answers of each pair that is trained on, by the model as it is: chosen, rejected. */
  logProbabilities(program: FinetuneProgram, features: ImageSource): Promise<Reference>;
  /** Adds the gradient of a step's pairs. @param firstPart the number of its first part */
  accumulate(
    program: FinetuneProgram,
    input: { features: ImageSource; reference: Reference; step: number; firstPart: number },
  ): Promise<PairFigures>;
}

/** What is logged of a step's pairs. A reward is beta times what the model finds an answer likelier than the reference does. */
export type PairFigures = Required<Pick<LossRecord, 'preferenceLoss' | 'rewardMargin' | 'rewardAccuracy'>>;

/**
 * Reads and tokenizes the pairs of all steps.
 *
 * @returns undefined for a job without any
 * @throws InputError for an order that is too short, and for an answer of which nothing is left to learn
 */
export async function preparePairs(
  prompts: PromptSettings,
  job: SettingsOf<FinetuneJob>,
  reporter: JobReporter,
): Promise<Pairs | undefined> {
  const { preference: settings, steps, microBatchSize } = job;
  if (!settings) return undefined;
  const { batchSize, lengthNormalized } = settings;
  const samples = await readJsonLines(settings.pairs, preferenceSampleSchema);
  const order = await readJson(settings.order, z.array(z.int().nonnegative().lt(samples.length)));
  if (order.length < steps * batchSize) {
    throw new InputError({
      file: settings.order,
      problem: `holds ${order.length} pairs, but ${steps} steps of ${batchSize} need ${steps * batchSize}`,
      remedy: 'Run the finetune of the round again',
    });
  }
  const answers = await tokenizePairs(samples, new Set(order.slice(0, steps * batchSize)), prompts, job, reporter);
  const size = pairsAtOnce(batchSize, microBatchSize);
  const parts = batchSize / size;
  const partOf = (pairs: readonly number[]): Part => {
    const sequences = answers.flatMap((all) => pairs.map((pair) => all[pair] as Sequence));
    const shown = pairs.map((pair) => ({ ...(samples[pair] as PreferenceSample), answer: '' }));
    return { pairs, sequences, images: shownImages([...shown, ...shown], sequences), shape: batchShape(sequences) };
  };
  const tight = inBatches(order.slice(0, steps * batchSize), size).map(partOf);
  const shapes = padToFewShapes(tight.map(({ shape }) => shape));
  const plan = tight.map((part, place) => ({ ...part, shape: shapes[place] as BatchShape }));
  const batchPart = async ({ sequences, images, shape }: Part, features: ImageSource): Promise<BatchPart> => ({
    shape,
    batch: collate(
      sequences,
      shape,
      prompts.queries,
      sequences.map((sequence) => (lengthNormalized ? 1 / learnedTokens([sequence]) : 1)),
    ),
    images: await features.batch(imagesFor(images, shape)),
  });
  return {
    settings,
    images: tight.flatMap(({ images }) => images.flat().flatMap((file) => file ?? [])),
    shapes,
    parts,
    tokens: (step) =>
      plan.slice(step * parts, (step + 1) * parts).reduce((sum, { shape }) => sum + shape.batch * shape.tokens, 0),
    async logProbabilities(program, features) {
      const found = new Map<number, readonly [number, number]>();
      const used = new Set(plan.flatMap(({ pairs }) => pairs)).size;
      for (const part of plan) {
        if (part.pairs.every((pair) => found.has(pair))) continue;
        const values = program.logProbabilities(await batchPart(part, features));
        for (const [pair, both] of answersOf(part, values)) if (!found.has(pair)) found.set(pair, both);
        reporter.progress({ phase: 'reference', step: found.size, steps: used });
        await new Promise(setImmediate);
        reporter.signal.throwIfAborted();
        if (found.size === used) break;
      }
      return found;
    },
    async accumulate(program, { features, reference, step, firstPart }) {
      let preferenceLoss = 0;
      const margins: number[] = [];
      for (const [number, part] of plan.slice(step * parts, (step + 1) * parts).entries()) {
        const ofReference = part.pairs.map((pair) => marginOf(reference.get(pair)));
        const input: PairPart = { ...(await batchPart(part, features)), reference: Float32Array.from(ofReference) };
        const { loss, logProbabilities } = program.accumulatePairs({ ...input, step, part: firstPart + number });
        preferenceLoss += loss;
        for (const [at, [, both]] of answersOf(part, logProbabilities).entries())
          margins.push(settings.beta * (marginOf(both) - (ofReference[at] as number)));
        await new Promise(setImmediate);
      }
      return {
        preferenceLoss,
        rewardMargin: margins.reduce((sum, margin) => sum + margin, 0) / margins.length,
        rewardAccuracy: margins.filter((margin) => margin > 0).length / margins.length,
      };
    },
  };
}

const marginOf = (both: readonly [number, number] | undefined): number => {
  if (both === undefined) throw new Error('a pair has no reference');
  return both[0] - both[1];
};

/** A part's pairs, with the values of their chosen and rejected answers. */
function answersOf({ pairs }: Part, values: Float32Array): [pair: number, both: readonly [number, number]][] {
  return pairs.map((pair, at) => [pair, [values[at] as number, values[at + pairs.length] as number]]);
}

/** The sequences of all chosen answers, and of all rejected ones. */
async function tokenizePairs(
  samples: readonly PreferenceSample[],
  used: ReadonlySet<number>,
  prompts: PromptSettings,
  job: SettingsOf<FinetuneJob>,
  { note }: JobReporter,
): Promise<Sequence[][]> {
  const { pairs: file } = job.preference as Settings;
  const tokenized: Sequence[][] = [];
  for (const answer of ['chosen', 'rejected'] as const) {
    const answered = samples.map((sample) => ({ ...sample, answer: sample[answer] }));
    const sequences = await tokenizeSamples(answered, prompts, { ...job, samples: file }, note, used);
    const empty = [...used].find((pair) => learnedTokens([sequences[pair] as Sequence]) === 0);
    if (empty !== undefined) {
      throw new InputError({
        file,
        line: empty + 1,
        field: answer,
        problem: `nothing of it is left: finetune.maximumTokens is ${job.maximumTokens}`,
        remedy: 'Raise finetune.maximumTokens',
      });
    }
    tokenized.push(sequences);
  }
  return tokenized;
}
