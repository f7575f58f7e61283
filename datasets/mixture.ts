import { join } from 'node:path';
import { z } from 'zod';
import { type SeededRandom, seededRandom } from '../random/seeded-random.ts';
import { readJson, readJsonLines } from '../store/read-json.ts';
import { writeFileAtomically } from '../store/write-file.ts';
import { type TrainingSample, trainingSampleSchema } from './training-sample.ts';

/** One dataset of a mixture. */
export interface MixturePart {
  name: string;
  samples: readonly TrainingSample[];
  /** How often it is drawn from, against the others' ratios. Default: the square root of its size. */
  sampleRatio?: number;
}

/** All samples of a training run, and the order in which they are trained on. */
export interface Mixture {
  samples: TrainingSample[];
  /** Indices into `samples`: step s, slot b trains on `samples[order[s * batchSize + b]]`. */
  order: number[];
}

/**
 * Writes out which sample is trained on when. Each draw takes a part by its ratio, then the next sample of
 * that part's current pass; each pass is a fresh shuffle, so that no sample comes twice before all came once.
 *
 * The order for a larger count begins with the order for a smaller one.
 *
 * @param input.count length of the order: steps times batch size
 * @throws RangeError when no part has both samples and a positive ratio.
 */
export function materializeMixture(input: { parts: readonly MixturePart[]; seed: number; count: number }): Mixture {
  const { parts, seed, count } = input;
  const random = seededRandom(seed).fork('mixture');
  const ratios = parts.map(({ samples, sampleRatio }) =>
    samples.length === 0 ? 0 : (sampleRatio ?? Math.sqrt(samples.length)),
  );
  if (count > 0 && !ratios.some((ratio) => ratio > 0)) {
    throw new RangeError('The mixture has nothing to draw from: each part is empty or has the sample ratio 0');
  }

  const draws = random.fork('parts');
  let start = 0;
  const nextSamples = parts.map(({ name, samples }, index) => {
    const next = shuffledPasses(start, samples.length, random.fork(`${index}/${name}`));
    start += samples.length;
    return next;
  });
  const order = Array.from({ length: count }, () => draws.pickWeighted(nextSamples, ratios)());
  return { samples: parts.flatMap(({ samples }) => samples), order };
}

/** Hands out the indices start to start + size - 1 over and over, each time in another order. */
function shuffledPasses(start: number, size: number, random: SeededRandom): () => number {
  const indices = Array.from({ length: size }, (_, index) => start + index);
  let pass = 0;
  let rest: number[] = [];
  return () => {
    if (rest.length === 0) {
      rest = random.fork(pass).shuffle(indices);
      pass += 1;
    }
    return rest.pop() as number;
  };
}

/** Writes `samples.jsonl` and `order.json`, as the trainer reads them. */
export async function writeMixture(folder: string, { samples, order }: Mixture): Promise<void> {
  await writeFileAtomically(
    join(folder, 'samples.jsonl'),
    samples.map((sample) => `${JSON.stringify(sample)}\n`).join(''),
  );
  await writeFileAtomically(join(folder, 'order.json'), `${JSON.stringify(order)}\n`);
}

/**
 * Reads what {@link writeMixture} wrote.
 *
 * @throws InputError naming line or field.
 */
export async function readMixture(folder: string): Promise<Mixture> {
  const samples = await readJsonLines(join(folder, 'samples.jsonl'), trainingSampleSchema);
  const order = await readJson(join(folder, 'order.json'), z.array(z.int().nonnegative().lt(samples.length)));
  return { samples, order };
}
