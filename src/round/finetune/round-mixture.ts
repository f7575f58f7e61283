import { basename, join, relative, resolve } from 'node:path';
import { stepsOf } from '../../config/finetune-schema.ts';
import type { Config } from '../../config/schema.ts';
import { InputError } from '../../core/input-error.ts';
import { isBelow } from '../../core/inside.ts';
import { seededRandom } from '../../core/seeded-random.ts';
import { writeJsonLines } from '../../core/write-file.ts';
import { writeMixture } from '../../datasets/mixture.ts';
import { imagesOf, type TrainingSample } from '../../datasets/train-dataset.ts';
import { generatedData } from '../append/generated-data.ts';
import { lineageBefore } from '../gate/lineage.ts';
import { datasetPart, type MixturePart, mixtureParts } from '../mixture-parts.ts';
import type { StepContext } from '../step-context.ts';
import { givenAdapter } from './given-adapter.ts';

/** What a round trains on: the base data, its own and that of the rounds it is built upon. */
export interface RoundMixture {
  parts: MixturePart[];
  /** The same without what is held out. */
  drawn: MixturePart[];
  /** The dataset of the validation loss, where it has one of its own. */
  validation?: MixturePart | undefined;
  /**
   * Writes what the trainer reads (see `mixtureFiles`), with the paths of this machine.
   *
   * @returns how many samples there are to draw from
   * @throws InputError when the validation loss has no samples
   */
  write(finetuneDirectory: string): Promise<number>;
}

/** The mixture of a round. */
export async function roundMixture(context: Pick<StepContext, 'config' | 'run' | 'round'>): Promise<RoundMixture> {
  const { config, run, round } = context;
  const { batchSize, groupSize = batchSize } = config.finetune;
  const { batching, captionPrompts: requests } = config.data;
  const parts = await mixtureParts(config, await generatedData(run, [...(await lineageBefore(context, round)), round]));
  const { validationLoss } = config.finetune;
  const share = validationLoss?.heldOut ?? 0;
  const validation = validationLoss?.dataset && (await datasetPart(config, validationLoss.dataset));
  const drawn = share === 0 ? parts : parts.map((part) => withoutHeldOut(config, part, share));
  return {
    parts,
    drawn,
    validation,
    write: async (finetuneDirectory) => {
      if (validationLoss) await writeValidation(config, validation ? [validation] : parts, share, finetuneDirectory);
      return writeMixture(folderIn(finetuneDirectory), {
        parts: drawn,
        seed: config.seed,
        count: (samples) => stepsOf(config.finetune, samples) * batchSize,
        drawsOfOnePart: batching === 'one-dataset' ? groupSize : undefined,
        requests,
      });
    },
  };
}

/** How many samples the finetune of a round draws from, and its steps: it takes reading all of them. */
export async function plannedFinetune(
  context: Pick<StepContext, 'config' | 'run' | 'round'>,
): Promise<{ samples: number; steps: number }> {
  if (givenAdapter(context.config, context.round) !== undefined) return { samples: 0, steps: 0 };
  const { drawn } = await roundMixture(context);
  let samples = 0;
  for (const part of drawn) for await (const _ of part.samples()) samples += 1;
  return { samples, steps: stepsOf(context.config.finetune, samples) };
}

/** The samples of the validation loss, in the order of the data. A request is worded as the first of the config's. */
async function writeValidation(
  config: Config,
  parts: readonly MixturePart[],
  share: number,
  finetuneDirectory: string,
): Promise<void> {
  const lines: TrainingSample[] = [];
  const [request] = config.data.captionPrompts ?? [];
  for (const part of parts) {
    for await (const sample of part.samples()) {
      if (share > 0 && !isHeldOut(config, sample, share)) continue;
      lines.push(sample.kind === 'request' && request !== undefined ? { ...sample, prompt: request } : sample);
    }
  }
  if (lines.length === 0) {
    throw new InputError({
      file: 'configuration',
      field: `finetune.validationLoss.${share > 0 ? 'heldOut' : 'dataset'}`,
      problem: share > 0 ? `${share} of the images of this data is none` : 'has no samples',
      remedy: share > 0 ? 'Raise it, or name a dataset instead' : 'Name another dataset, or hold some of the data out',
    });
  }
  await writeJsonLines(validationSamplesFile(finetuneDirectory), lines);
}

function withoutHeldOut(config: Config, part: MixturePart, share: number): MixturePart {
  return {
    ...part,
    samples: async function* () {
      for await (const sample of part.samples()) if (!isHeldOut(config, sample, share)) yield sample;
    },
  };
}

/**
 * By the image alone, so that no image that is held out is trained on, in whatever datasets and rounds it has samples; a
 * conversation by each of its images.
 */
function isHeldOut({ seed, data, cacheDirectory }: Config, sample: TrainingSample, share: number): boolean {
  const images = imagesOf(sample).map(place);
  const random = seededRandom(seed).fork('held out');
  const keys = images.length === 0 ? [`${sample.source}/${sample.id}`] : images;
  return keys.some((key) => random.fork(key).uniform() < share);

  /** The same on all machines. */
  function place(file: string): string {
    const folder = [data.root, cacheDirectory].find((one) => isBelow(file, [resolve(one)]));
    return folder === undefined ? basename(file) : relative(resolve(folder), file);
  }
}

/** Where a finetune has its samples and the order of them. */
export function mixtureFiles(finetuneDirectory: string): { samples: string; order: string } {
  const folder = folderIn(finetuneDirectory);
  return { samples: join(folder, 'samples.jsonl'), order: join(folder, 'order.json') };
}

/** Where it has its preference pairs, a `PreferenceSample` a line, and the order of them. */
export function preferenceFiles(finetuneDirectory: string): { pairs: string; order: string } {
  const folder = folderIn(finetuneDirectory);
  return { pairs: join(folder, 'pairs.jsonl'), order: join(folder, 'pairs-order.json') };
}

/** The samples of the validation loss, a `TrainingSample` a line. */
export const validationSamplesFile = (finetuneDirectory: string) =>
  join(folderIn(finetuneDirectory), 'validation.jsonl');

const folderIn = (finetuneDirectory: string) => join(finetuneDirectory, 'mixture');
