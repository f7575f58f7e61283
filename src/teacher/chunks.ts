/**
 * The requests of a round in chunks of equal size, so that a worker reads only those that it asks.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { z } from 'zod';
import { parseJson } from '../core/read-json.ts';

/** Where each chunk starts in a file of requests. */
export interface ChunkIndex {
  /** Requests in a chunk; the last may have fewer. */
  size: number;
  requests: number;
  /** The first byte of each chunk, and the end of the file. */
  offsets: number[];
}

/** Finds the chunks of a file with one JSON value a line; the file is streamed. */
export async function indexChunks(file: string, size: number): Promise<ChunkIndex> {
  const offsets = [0];
  let requests = 0;
  let position = 0;
  // Counted in bytes: readline would count characters.
  let lineHasText = false;
  for await (const piece of createReadStream(file) as AsyncIterable<Buffer>) {
    for (const byte of piece) {
      position += 1;
      if (byte !== 10) {
        lineHasText = true;
        continue;
      }
      if (lineHasText) requests += 1;
      if (lineHasText && requests % size === 0) offsets.push(position);
      lineHasText = false;
    }
  }
  if (lineHasText) requests += 1;
  if (requests % size !== 0 || lineHasText) offsets.push(position);
  return { size, requests, offsets: [...new Set(offsets)] };
}

/** Reads one chunk. @throws InputError with the field that does not fit; RangeError when there is no such chunk */
export async function readChunk<Request extends { id: string }>(
  file: string,
  index: ChunkIndex,
  chunk: number,
  schema: z.ZodType<Request>,
): Promise<Request[]> {
  const start = index.offsets[chunk];
  const end = index.offsets[chunk + 1];
  if (start === undefined || end === undefined) throw new RangeError(`There is no chunk ${chunk} in ${file}`);
  const handle = await open(file);
  try {
    const lines = createInterface({ input: handle.createReadStream({ start, end: end - 1 }) });
    const requests = new Map<string, Request>();
    for await (const line of lines) {
      if (line.trim() === '') continue;
      const request = parseJson(line, file, schema);
      requests.set(request.id, request);
    }
    return [...requests.values()];
  } finally {
    await handle.close();
  }
}

export function countChunks({ offsets }: ChunkIndex): number {
  return offsets.length - 1;
}
