import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { seededRandom } from '../core/seeded-random.ts';
import { StorageError } from '../core/write-file.ts';
import { type MixtureShare, mixtureOrder } from './mixture-order.ts';
import type { TrainingSample } from './train-dataset.ts';

/** One dataset of a mixture. */
export interface MixturePart {
  name: string;
  /** How often it is drawn from, against the others' ratios. Default: the square root of its size. */
  sampleRatio?: number;
  /** Its samples, always the same in the same order. They are read twice, and never all in memory. */
  samples(): AsyncIterable<TrainingSample>;
}

export interface MixtureSettings {
  parts: readonly MixturePart[];
  seed: number;
  /** Length of the order, which may depend on the number of samples of all parts. */
  count: number | ((samples: number) => number);
  drawsOfOnePart?: number | undefined;
  requests?: readonly string[] | undefined;
}

/**
 * Writes the input of a training run: `samples.jsonl`, the samples that it uses, and `order.json`, their order: step s,
 * slot b trains on line `order[s * batchSize + b]`, from 0. The order for a larger count starts with the samples of the
 * order for a smaller one.
 *
 * The parts are streamed; in memory are two numbers per sample and one per draw. With `requests`, a sample has one more for
 * each of them.
 *
 * @param input.count steps times batch size
 * @param input.drawsOfOnePart so many draws in a row are of one part; default: parts are mixed
 * @param input.requests texts that replace the request of samples that are one (`kind`): one is drawn for each draw, or
 * for all of `drawsOfOnePart`. Default: their own
 * @returns the number of samples of all parts
 * @throws RangeError when no part has both samples and a positive ratio; StorageError for a full disk and the like
 */
export async function writeMixture(
  folder: string,
  { parts, seed, count, drawsOfOnePart, requests = [] }: MixtureSettings,
): Promise<number> {
  const shares: MixtureShare[] = [];
  /** The samples that are a request. */
  const areRequests: boolean[] = [];
  for (const { name, sampleRatio, samples } of parts) {
    const before = areRequests.length;
    for await (const sample of samples()) areRequests.push(isRequest(sample));
    shares.push({ name, sampleRatio, size: areRequests.length - before });
  }
  const total = areRequests.length;
  const { sampleAt } = mixtureOrder({ parts: shares, seed, drawsOfOnePart });
  const variants = Math.max(1, requests.length);
  const random = seededRandom(seed).fork('requests');
  /** A sample and the request it is shown with, as one number. */
  const variantAt = (draw: number) => {
    const sample = sampleAt(draw);
    if (variants === 1 || !areRequests[sample]) return sample * variants;
    return sample * variants + random.fork(Math.floor(draw / (drawsOfOnePart ?? 1))).integer(variants);
  };

  const length = typeof count === 'number' ? count : count(total);
  const order = Float64Array.from({ length }, (_, draw) => variantAt(draw));
  // Samples that are never drawn are not written: a short run on a million samples stays a short file.
  const lineOf = new Int32Array(total * variants).fill(-1);
  for (const variant of order) lineOf[variant] = 0;
  let lines = 0;
  for (const [variant, used] of lineOf.entries()) {
    if (used === -1) continue;
    lineOf[variant] = lines;
    lines += 1;
  }
  await writeStream(join(folder, 'samples.jsonl'), usedLines(parts, lineOf, requests));
  await writeStream(join(folder, 'order.json'), orderText(order, lineOf));
  return total;
}

const isRequest = (sample: TrainingSample) => 'kind' in sample && sample.kind === 'request';

async function* usedLines(
  parts: readonly MixturePart[],
  lineOf: Int32Array,
  requests: readonly string[],
): AsyncGenerator<string> {
  let next = 0;
  for (const part of parts) {
    for await (const sample of part.samples()) {
      // As many numbers as there are requests are given to each sample.
      for (const prompt of requests.length > 0 ? requests : [undefined]) {
        const shown = prompt !== undefined && isRequest(sample) ? { ...sample, prompt } : sample;
        if (lineOf[next] !== -1) yield `${JSON.stringify(shown)}\n`;
        next += 1;
      }
    }
  }
}

const NUMBERS_A_PIECE = 8192;

function* orderText(order: Float64Array, lineOf: Int32Array): Generator<string> {
  yield '[';
  for (let start = 0; start < order.length; start += NUMBERS_A_PIECE) {
    const piece = order.subarray(start, start + NUMBERS_A_PIECE);
    yield `${start === 0 ? '' : ','}${Array.from(piece, (sample) => lineOf[sample]).join(',')}`;
  }
  yield ']\n';
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
