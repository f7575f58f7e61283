import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StorageError } from '../core/write-file.ts';

/** Writes a JSON list item by item, so that it may be larger than memory. @returns how many items it has */
export async function writeJsonList(file: string, items: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  async function* pieces() {
    for await (const item of items) {
      yield `${count === 0 ? '[\n' : ',\n'}${JSON.stringify(item)}`;
      count += 1;
    }
    yield count === 0 ? '[]\n' : '\n]\n';
  }
  const sink = createWriteStream(file, { flush: true });
  try {
    await pipeline(Readable.from(pieces()), sink);
  } catch (cause) {
    throw sink.errored === cause ? new StorageError(file, cause) : cause;
  }
  return count;
}
