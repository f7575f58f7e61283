/**
 * The loss on samples that are not trained on: computed after every so many steps, as `transformers.Trainer` computes its
 * `eval_loss`, with its `EarlyStoppingCallback`.
 */
import { InputError } from '../../../core/input-error.ts';
import { readJsonLines } from '../../../core/read-json.ts';
import { trainingSampleSchema } from '../../../datasets/train-dataset.ts';
import type { ValidationLossRecord } from '../../job-files.ts';
import type { FinetuneJob, SettingsOf } from '../../protocol.ts';
import type { JobReporter } from '../../trainer-side.ts';
import { type BatchShape, batchShape, collate, inBatches, learnedTokens, tokenWeights } from '../batch.ts';
import { imagesFor, shownImages } from '../conversation.ts';
import type { PromptSettings, Sequence } from '../sequence.ts';
import type { ImageSource } from '../vision/image-features.ts';
import { padToFewShapes } from './batch-shapes.ts';
import type { FinetuneProgram } from './finetune-program.ts';
import { tokenizeSamples } from './plan.ts';
import type { Validated } from './validation.ts';

type Settings = NonNullable<FinetuneJob['validationLoss']>;

export interface ValidationLoss {
  settings: Settings;
  /** Files of the images that the samples show. */
  images: string[];
  /** Of the parts of batches that `compute` gives the program. */
  shapes: BatchShape[];
  /** Whether the loss of the state after so many steps is to be computed and was not yet. */
  isDue(step: number, validated: Validated): boolean;
  /**
   * The mean over batches of the mean over a batch's learned tokens; a smaller last batch weighs less.
   *
   * @throws the reporter's reason when it is aborted
   */
  compute(program: FinetuneProgram, features: ImageSource): Promise<number>;
}

/** What of a batch is computed at once. */
interface Part {
  sequences: Sequence[];
  /** What each sequence's learned tokens weigh in the loss of its batch. */
  weights: number[];
  /** The files of each sequence's images; undefined for a sequence without one. */
  shown: (string | undefined)[][];
  shape: BatchShape;
}

/**
 * Reads and tokenizes the samples of the validation loss.
 *
 * @returns undefined for a job without one
 */
export async function prepareValidationLoss(
  prompts: PromptSettings,
  settings: SettingsOf<FinetuneJob>,
  reporter: JobReporter,
): Promise<ValidationLoss | undefined> {
  const { steps, batchSize, microBatchSize, validationLoss } = settings;
  if (!validationLoss) return undefined;
  const samples = await readJsonLines(validationLoss.samples, trainingSampleSchema);
  const sequences = await tokenizeSamples(
    samples,
    prompts,
    { ...settings, samples: validationLoss.samples },
    reporter.note,
  );
  const shown = shownImages(samples, sequences);
  const all = sequences.map((sequence, index) => ({ sequence, images: shown[index] as (string | undefined)[] }));
  const batches = inBatches(all, batchSize);
  const parts = batches.flatMap((batch) => partsOf(batch, microBatchSize));
  const shapes = padToFewShapes(parts.map(({ shape }) => shape));
  const padded = parts.map((part, index) => ({ ...part, shape: shapes[index] as BatchShape }));
  // Only the last batch may have fewer parts.
  const partsOfBatches = inBatches(padded, batchSize / microBatchSize);
  const learning = batches.map((batch) =>
    learnedTokens(batch.map(({ sequence }) => sequence)) > 0 ? batch.length : 0,
  );
  const counted = learning.reduce((sum, count) => sum + count, 0);
  return {
    settings: validationLoss,
    images: shown.flat().flatMap((file) => file ?? []),
    shapes,
    isDue: (step, { losses }) =>
      step > 0 && (step % validationLoss.everySteps === 0 || step === steps) && (losses.at(-1)?.step ?? 0) < step,
    async compute(program, features) {
      let sum = 0;
      for (const [index, batch] of partsOfBatches.entries()) {
        const share = learning[index] as number;
        for (const { sequences, weights, shown, shape } of share > 0 ? batch : []) {
          const input = {
            shape,
            batch: collate(sequences, shape, prompts.queries, weights),
            images: await features.batch(imagesFor(shown, shape)),
          };
          sum += share * program.lossOf(input);
          await new Promise(setImmediate);
        }
        reporter.progress({ phase: 'validation', step: index + 1, steps: batches.length });
        await new Promise(setImmediate);
        reporter.signal.throwIfAborted();
      }
      const loss = sum / counted;
      if (Number.isFinite(loss)) return loss;
      throw new InputError({
        file: validationLoss.samples,
        field: 'finetune.learningRate',
        problem: `the validation loss is ${loss}: training diverged`,
        remedy: 'Lower finetune.learningRate.peak',
      });
    },
  };
}

/** A batch in parts of one size: the last is filled up with sequences that weigh nothing. */
function partsOf(batch: readonly { sequence: Sequence; images: (string | undefined)[] }[], size: number): Part[] {
  const weights = tokenWeights(batch.map(({ sequence }) => sequence));
  const weighted = batch.map((one, index) => ({ ...one, weight: weights[index] as number }));
  return inBatches(weighted, size).map((own) => {
    const filler = { ...(own[0] as (typeof own)[number]), weight: 0 };
    const filled = Array.from({ length: size }, (_, at) => own[at] ?? filler);
    const sequences = filled.map(({ sequence }) => sequence);
    return {
      sequences,
      weights: filled.map(({ weight }) => weight),
      shown: filled.map(({ images }) => images),
      shape: batchShape(sequences),
    };
  });
}

/**
 * Whether training ends after these losses: the last `stopAfter` were no improvement, each of which is lower than the lowest
 * before it by more than `minimumChange`.
 */
export function stopsEarly(
  losses: readonly ValidationLossRecord[],
  { stopAfter, minimumChange = 0 }: Pick<Settings, 'stopAfter' | 'minimumChange'>,
): boolean {
  let lowest = Number.POSITIVE_INFINITY;
  let withoutImprovement = 0;
  for (const { loss } of losses) {
    withoutImprovement = loss < lowest && lowest - loss > minimumChange ? 0 : withoutImprovement + 1;
    lowest = Math.min(lowest, loss);
  }
  return stopAfter !== undefined && withoutImprovement >= stopAfter;
}

/** Adds the loss of a state, which becomes the best one if it is lower than all before it and the best is kept. */
export function withLoss(
  { losses, best, ...rest }: Validated,
  { step, loss, keepsBest, read }: ValidationLossRecord & Pick<Settings, 'keepsBest'> & { read: () => Float32Array },
): Validated {
  const isBest = keepsBest && losses.every((earlier) => loss < earlier.loss);
  return { ...rest, losses: [...losses, { step, loss }], best: isBest ? { step, parameters: read() } : best };
}
