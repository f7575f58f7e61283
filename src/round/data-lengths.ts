/** How long the samples of a config's training data are, in tokens of its model, and which of them are too long. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { readJsonLines } from '../core/read-json.ts';
import { type SeededRandom, seededRandom } from '../core/seeded-random.ts';
import { writeJsonLines } from '../core/write-file.ts';
import { type TrainingSample, trainingSample } from '../datasets/train-dataset.ts';
import { type MeasuredSample, measuredSampleSchema } from '../trainer/job-files.ts';
import { measure } from '../trainer/jobs/measure.ts';
import type { MeasureJob } from '../trainer/protocol.ts';
import { runJob, type TrainerContext, withFamily } from '../trainer/supervisor/trainer-step.ts';
import { isBuiltInFamily } from './base-model.ts';
import { pathUnder } from './data-problem.ts';
import { baseDataset } from './mixture-parts.ts';

/** Samples of a dataset that are counted: drawn at random, and the longest in letters beside them. */
const mostDrawn = 10_000;
const mostLongest = 100;

export interface DatasetLengths {
  name: string;
  /** The file, relative to the data root when it lies there. */
  item: string;
  samples: number;
  /** How many of them are counted; the spread is that of all samples, or of those that were drawn. */
  counted: number;
  tokens: { least: number; median: number; p95: number; most: number };
  /** Those counted that a finetune would cut or refuse. */
  tooLong: { record: string; tokens: number; problem: string; isError: boolean }[];
}

/**
 * Counts as the config's trainer does: an image as all of its tokens, by `model.image`.
 *
 * @throws InputError when there is no model, or with a chat template no Python to count by
 */
export async function dataLengths(config: Config, context: Omit<TrainerContext, 'config'>): Promise<DatasetLengths[]> {
  const parts = [];
  for (const part of config.data.train) {
    const { dataset, ...source } = baseDataset(config, part);
    const choice = chosenSamples(seededRandom(config.seed).fork('lengths').fork(parts.length));
    for await (const record of dataset.read(source, () => {})) {
      context.signal.throwIfAborted();
      choice.take(trainingSample(record, { source: source.name, format: config.data.format }));
    }
    parts.push({ name: source.name, item: pathUnder(config.data.root, source.path), ...choice });
  }
  const chosen = parts.flatMap((part) => part.chosen());
  const measured = await measuredSamples(config, chosen, context);
  let start = 0;
  return parts.map((part) => {
    const own = part.chosen();
    const found = measured.slice(start, start + own.length);
    start += own.length;
    return lengthsOf(part, own, found, config.finetune);
  });
}

/** Chooses among samples as they are read, whatever their number. */
function chosenSamples(random: SeededRandom) {
  const drawn: TrainingSample[] = [];
  const longest: { letters: number; sample: TrainingSample }[] = [];
  let samples = 0;
  return {
    take: (sample: TrainingSample) => {
      const place = samples < mostDrawn ? samples : random.integer(samples + 1);
      if (place < mostDrawn) drawn[place] = sample;
      samples += 1;
      const letters = JSON.stringify(sample).length;
      if (longest.length === mostLongest && letters <= (longest.at(-1)?.letters ?? 0)) return;
      longest.push({ letters, sample });
      longest.sort((one, other) => other.letters - one.letters).splice(mostLongest);
    },
    count: () => samples,
    drawn: () => drawn.length,
    chosen: () => [...new Set([...drawn, ...longest.map(({ sample }) => sample)])],
  };
}

function lengthsOf(
  part: { name: string; item: string; count: () => number; drawn: () => number },
  samples: readonly TrainingSample[],
  measured: readonly MeasuredSample[],
  { tooLong: policy, ...limits }: Config['finetune'],
): DatasetLengths {
  const { name, item } = part;
  const drawn = measured.slice(0, part.drawn()).map(({ tokens }) => tokens);
  const sorted = drawn.sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  const tooLong = measured.flatMap(({ tokens, limit, problem }, index) => {
    if (limit === undefined && problem === undefined) return [];
    const beyond = limit && `is beyond finetune.${limit}: ${limits[limit]}`;
    const isError = problem !== undefined || policy === 'error';
    return [{ record: (samples[index] as TrainingSample).id, tokens, problem: problem ?? beyond ?? '', isError }];
  });
  const most = measured.reduce((highest, { tokens }) => Math.max(highest, tokens), 0);
  return {
    name,
    item,
    samples: part.count(),
    counted: measured.length,
    tokens: { least: at(0), median: at(0.5), p95: at(0.95), most },
    tooLong: tooLong.sort((one, other) => other.tokens - one.tokens),
  };
}

async function measuredSamples(
  config: Config,
  samples: readonly TrainingSample[],
  context: Omit<TrainerContext, 'config'>,
): Promise<MeasuredSample[]> {
  const directory = await mkdtemp(join(tmpdir(), 'dataengine-lengths-'));
  try {
    const { maximumTokens, maximumSequence } = config.finetune;
    const job: MeasureJob = {
      kind: 'measure',
      model: config.model.path,
      exif: config.data.exif,
      samples: join(directory, 'samples.jsonl'),
      maximumTokens,
      maximumSequence,
      output: join(directory, 'measured.jsonl'),
    };
    await writeJsonLines(job.samples, samples);
    if (await isBuiltInFamily(config)) {
      const given = (await withFamily(job, config.model.tokenBoundaries)) as MeasureJob;
      await measure(given, { note: () => {}, progress: context.onProgress, signal: context.signal });
    } else {
      await runJob({ ...context, config }, directory, job);
    }
    return await readJsonLines(job.output, measuredSampleSchema);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
