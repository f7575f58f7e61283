import { appendFile, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import limitConcurrency from 'p-limit';
import { hashFile } from '../hash.ts';
import { StorageError } from '../write-file.ts';
import type { TransferOptions } from './object-store.ts';
import { type Part, partsAtOnce, partsOf } from './parts.ts';
import { DamagedObject, type RequestPlace, StoreError } from './store-error.ts';
import { withPatience } from './with-patience.ts';

interface Source extends Required<RequestPlace> {
  client: S3Client;
}

/**
 * Fetches an object into a file, which appears whole or not at all. What was fetched of it before, by an attempt that
 * was broken off, is not fetched again: it lies beside the file as `<file>.partial`, and which parts it has in
 * `<file>.partial.parts`. The whole is verified by its hash; where that is wrong, everything is fetched once more.
 *
 * @throws DamagedObject when it is wrong again; InputError, StoreError as for every request; StorageError of the disk
 */
export async function downloadFile(
  source: Source,
  file: string,
  { size, sha256 }: { size: number; sha256: string },
  options: TransferOptions = {},
): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const partial = `${file}.partial`;
  for (let tries = 0; tries < 2; tries += 1) {
    await fetchParts(source, partial, size, options);
    const found = await hashFile(partial);
    await rm(`${partial}.parts`, { force: true });
    if (found === sha256) return rename(partial, file);
    await rm(partial, { force: true });
  }
  const { bucket, key } = source;
  throw new DamagedObject(`s3://${bucket}/${key}: is damaged: its SHA-256 is not ${sha256}. Put it there again`);
}

async function fetchParts(source: Source, partial: string, size: number, options: TransferOptions): Promise<void> {
  const { signal, onProgress } = options;
  const parts = partsOf(size);
  const done = await partsInFile(partial);
  const handle = await open(partial, done.size === 0 ? 'w' : 'r+').catch(storageError(partial));
  const limit = limitConcurrency(partsAtOnce);
  try {
    let bytes = parts.reduce((sum, part) => sum + (done.has(part.number) ? part.size : 0), 0);
    onProgress?.(bytes);
    const fetch = async (part: Part) => {
      const body = await withPatience(source, () => getPart(source, part, signal), { signal });
      await handle.write(body, 0, body.length, part.start).catch(storageError(partial));
      await appendFile(`${partial}.parts`, `${part.number}\n`).catch(storageError(partial));
      bytes += part.size;
      onProgress?.(bytes);
    };
    const missing = parts.filter((part) => !done.has(part.number) && part.size > 0);
    await Promise.all(missing.map((part) => limit(fetch, part)));
    // Also when the last parts came before they could be stopped.
    signal?.throwIfAborted();
    await handle.truncate(size);
    await handle.sync();
  } finally {
    limit.clearQueue();
    await handle.close();
  }
}

async function getPart({ client, bucket, key }: Source, part: Part, signal?: AbortSignal): Promise<Uint8Array> {
  const Range = `bytes=${part.start}-${part.start + part.size - 1}`;
  const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, Range }), { abortSignal: signal });
  const body = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
  if (body.length === part.size) return body;
  throw new StoreError(`s3://${bucket}/${key}: ${body.length} bytes came where ${part.size} were asked for`);
}

async function partsInFile(partial: string): Promise<Set<number>> {
  const text = await readFile(`${partial}.parts`, 'utf8').catch(() => '');
  // A last line without its end may have lost a digit.
  return new Set(text.split('\n').slice(0, -1).map(Number));
}

function storageError(file: string) {
  return (cause: unknown): never => {
    throw new StorageError(file, cause);
  };
}
