import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StorageError } from '../core/write-file.ts';
import { mixtureOrder } from './mixture-order.ts';
import type { TrainingSample } from './train-dataset.ts';

/** One dataset of a mixture. */
export interface MixturePart {
  name: string;
  /** How often it is drawn from, against the others' ratios. Default: the square root of its size. */
  sampleRatio?: number;
  /** Its samples, always the same in the same order. They are read twice, and never all in memory. */
  samples(): AsyncIterable<TrainingSample>;
}

/**
 * Writes the input of a training run: `samples.jsonl`, the samples that it uses, and `order.json`, their order: step s,
 * slot b trains on line `order[s * batchSize + b]`, from 0. The order for a larger count starts with the samples of the
 * order for a smaller one.
 *
 * The parts are streamed; two numbers per sample and one per draw are in memory.
 *
 * @param input.count length of the order: steps times batch size
 * @returns the number of samples of all parts
 * @throws RangeError when no part has both samples and a positive ratio; StorageError for a full disk and the like
 */
export async function writeMixture(
  folder: string,
  { parts, seed, count }: { parts: readonly MixturePart[]; seed: number; count: number },
): Promise<number> {
  const sizes: number[] = [];
  for (const part of parts) sizes.push(await countOf(part.samples()));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const shares = parts.map(({ name, sampleRatio }, index) => ({ name, sampleRatio, size: sizes[index] as number }));
  const { sampleAt } = mixtureOrder({ parts: shares, seed });

  const order = Uint32Array.from({ length: count }, (_, draw) => sampleAt(draw));
  // Samples that are never drawn are not written: a short run on a million samples stays a short file.
  const lineOf = new Int32Array(total).fill(-1);
  for (const sample of order) lineOf[sample] = 0;
  let lines = 0;
  for (const [sample, used] of lineOf.entries()) {
    if (used === -1) continue;
    lineOf[sample] = lines;
    lines += 1;
  }
  await writeStream(join(folder, 'samples.jsonl'), usedLines(parts, lineOf));
  await writeStream(join(folder, 'order.json'), orderText(order, lineOf));
  return total;
}

async function* usedLines(parts: readonly MixturePart[], lineOf: Int32Array): AsyncGenerator<string> {
  let sample = 0;
  for (const part of parts) {
    for await (const value of part.samples()) {
      if (lineOf[sample] !== -1) yield `${JSON.stringify(value)}\n`;
      sample += 1;
    }
  }
}

const NUMBERS_A_PIECE = 8192;

function* orderText(order: Uint32Array, lineOf: Int32Array): Generator<string> {
  yield '[';
  for (let start = 0; start < order.length; start += NUMBERS_A_PIECE) {
    const piece = order.subarray(start, start + NUMBERS_A_PIECE);
    yield `${start === 0 ? '' : ','}${Array.from(piece, (sample) => lineOf[sample]).join(',')}`;
  }
  yield ']\n';
}

async function countOf(samples: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of samples) count += 1;
  return count;
}

async function writeStream(file: string, pieces: AsyncIterable<string> | Iterable<string>): Promise<void> {
  const temporary = `${file}.tmp`;
  await mkdir(join(file, '..'), { recursive: true });
  const sink = createWriteStream(temporary, { flush: true });
  try {
    await pipeline(Readable.from(pieces), sink);
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw sink.errored === cause ? new StorageError(file, cause) : cause;
  }
}
