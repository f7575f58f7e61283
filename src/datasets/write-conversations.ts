/** What the exports of conversations share. */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { InputError } from '../core/input-error.ts';
import { StorageError } from '../core/write-file.ts';

/** The mark by which the texts of LLaVA, ShareGPT and messages say where an image is. */
export const IMAGE_MARK = '<image>';

/** Writes a JSON list item by item, so that it may be larger than memory. */
export function writeJsonList(file: string, items: AsyncIterable<unknown>): Promise<void> {
  return writePieces(file, async function* () {
    let before = '[\n';
    for await (const item of items) {
      yield `${before}${JSON.stringify(item)}`;
      before = ',\n';
    }
    yield before === '[\n' ? '[]\n' : '\n]\n';
  });
}

/** Writes a JSON value a line, item by item. */
export function writeJsonItems(file: string, items: AsyncIterable<unknown>): Promise<void> {
  return writePieces(file, async function* () {
    for await (const item of items) yield `${JSON.stringify(item)}\n`;
  });
}

async function writePieces(file: string, pieces: () => AsyncIterable<string>): Promise<void> {
  const sink = createWriteStream(file, { flush: true });
  try {
    await pipeline(Readable.from(pieces()), sink);
  } catch (cause) {
    // An item that is refused ends the file too, and is no fault of the disk.
    throw sink.errored === cause && !(cause instanceof InputError) ? new StorageError(file, cause) : cause;
  }
}
