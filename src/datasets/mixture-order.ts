import { type SeededRandom, seededRandom } from '../core/seeded-random.ts';

/** One dataset of a mixture. */
export interface MixtureShare {
  name: string;
  /** How many samples it has. */
  size: number;
  /** How often it is drawn from, against the others' ratios. Default: the square root of its size. */
  sampleRatio?: number;
}

/** The order in which samples are trained on. */
export interface MixtureOrder {
  /**
   * The sample of a draw: its number among the samples of all parts, one part after another. Step s, slot b of
   * training is draw `s * batchSize + b`. It depends on the seed and the draw alone, so training can resume at any
   * step, and any number of workers can share the slots.
   */
  sampleAt(draw: number): number;
}

export interface MixtureOrderSettings {
  parts: readonly MixtureShare[];
  seed: number;
  /** So many draws in a row are of one part, as each batch of the reference system is. Default: parts are mixed. */
  drawsOfOnePart?: number | undefined;
}

/** Which part a draw is of, and how many draws that part had before. */
interface PartDraw {
  part: number;
  ordinal: number;
}

/**
 * Assigns the draws of a mixture. Each part gives its samples in passes, each pass a new shuffle, so that no sample
 * is repeated before all have been used.
 *
 * Memory: a permutation of each part's samples and a few numbers per block of draws.
 *
 * @throws RangeError when no part has both samples and a positive ratio.
 */
export function mixtureOrder({ parts, seed, drawsOfOnePart }: MixtureOrderSettings): MixtureOrder {
  const random = seededRandom(seed).fork('mixture');
  const limits = cumulativeShares(parts);
  const starts = runningSums(parts.map(({ size }) => size));
  const permutations = parts.map(({ name, size }, index) =>
    passes(size, passLength(size, drawsOfOnePart), (pass) => random.fork(`${index}/${name}`).fork(pass)),
  );
  const partOf =
    drawsOfOnePart === undefined ? mixedParts(limits, random) : partsInTurn(limits, random, drawsOfOnePart);
  return {
    sampleAt(draw) {
      const { part, ordinal } = partOf(draw);
      return (starts[part] as number) + (permutations[part] as ReturnType<typeof passes>)(ordinal);
    },
  };
}

/** Draws are assigned in blocks: in each, every part has its share of the draws to within one draw. */
const BLOCK = 1024;

/** A block gives each part its share by systematic sampling (evenly spaced points from a random start), shuffled. */
function mixedParts(limits: readonly number[], random: SeededRandom): (draw: number) => PartDraw {
  const blockRandom = random.fork('parts');
  /** The positions in a block at which each part's draws end, before they are shuffled. */
  const endsOf = (block: number) => {
    const start = blockRandom.fork(block).uniform();
    return limits.map((limit) => Math.ceil(limit * BLOCK - start));
  };
  /** How many draws each part had in all blocks before each block. */
  const before: number[][] = [limits.map(() => 0)];
  const drawsBefore = (block: number) => {
    while (before.length <= block) {
      const last = before.at(-1) as number[];
      const ends = endsOf(before.length - 1);
      before.push(last.map((count, part) => count + (ends[part] as number) - (ends[part - 1] ?? 0)));
    }
    return before[block] as number[];
  };
  const blocks = lastOf(2, (block: number) => {
    const ends = endsOf(block);
    const assigned = Array.from({ length: BLOCK }, (_, position) => ends.findIndex((end) => position < end));
    const shuffled = blockRandom.fork(block).fork('order').shuffle(assigned);
    const counts = [...drawsBefore(block)];
    return shuffled.map((part) => {
      const ordinal = counts[part] as number;
      counts[part] = ordinal + 1;
      return { part, ordinal };
    });
  });
  return (draw) => blocks(Math.floor(draw / BLOCK))[draw % BLOCK] as PartDraw;
}

/**
 * Every `size` draws are of one part, drawn by the ratios and on its own, as `MultiIterLoader` of the reference system's
 * `dataloader_utils.py` draws the dataset of each batch.
 */
function partsInTurn(limits: readonly number[], random: SeededRandom, size: number): (draw: number) => PartDraw {
  const groupRandom = random.fork('one part');
  const counts = limits.map(() => 0);
  /** Part of each group, and how many groups the part had before. */
  const groups: { part: number; before: number }[] = [];
  return (draw) => {
    const group = Math.floor(draw / size);
    while (groups.length <= group) {
      const drawn = groupRandom.fork(groups.length).uniform();
      const part = limits.findIndex((limit) => drawn < limit);
      const before = counts[part] as number;
      counts[part] = before + 1;
      groups.push({ part, before });
    }
    const { part, before } = groups[group] as { part: number; before: number };
    return { part, ordinal: before * size + (draw % size) };
  };
}

/** A pass ends with the last whole group, as the reference system's loaders drop their last batch. */
function passLength(size: number, group = 1): number {
  return size < group ? size : size - (size % group);
}

function cumulativeShares(parts: readonly MixtureShare[]): number[] {
  const ratios = parts.map(({ size, sampleRatio }) => (size === 0 ? 0 : (sampleRatio ?? Math.sqrt(size))));
  const total = ratios.reduce((sum, ratio) => sum + ratio, 0);
  if (!(total > 0)) {
    throw new RangeError('The mixture has no samples to draw: each part is empty or has the sample ratio 0');
  }
  const last = ratios.findLastIndex((ratio) => ratio > 0);
  let reached = 0;
  return ratios.map((ratio, index) => {
    reached += ratio;
    // Exactly one, in spite of rounding.
    return index >= last ? 1 : reached / total;
  });
}

/** The n-th sample that a part gives, over passes of so many of its samples that are each shuffled again. */
function passes(
  size: number,
  length: number,
  randomOf: (pass: number) => ReturnType<typeof seededRandom>,
): (ordinal: number) => number {
  const permutation = lastOf(2, (pass: number) => {
    const indices = Array.from({ length: size }, (_, index) => index);
    return Uint32Array.from(randomOf(pass).shuffle(indices));
  });
  return (ordinal) => permutation(Math.floor(ordinal / length))[ordinal % length] as number;
}

/** Caches the last few results: draws come mostly in order, so the same blocks are needed again. */
function lastOf<T>(count: number, compute: (key: number) => T): (key: number) => T {
  const known = new Map<number, T>();
  return (key) => {
    let value = known.get(key);
    if (value === undefined) {
      value = compute(key);
      if (known.size >= count) known.delete(known.keys().next().value as number);
      known.set(key, value);
    }
    return value;
  };
}

function runningSums(values: readonly number[]): number[] {
  let sum = 0;
  return values.map((value) => {
    sum += value;
    return sum - value;
  });
}
