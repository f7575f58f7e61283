import { appendFile, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import limitConcurrency from 'p-limit';
import { hashFile } from '../hash.ts';
import { StorageError } from '../write-file.ts';
import type { TransferOptions } from './object-store.ts';
import { maxConcurrentParts, type Part, partsOf } from './parts.ts';
import { DamagedObject, type RequestPlace, StoreError } from './store-error.ts';
import { withRetries } from './with-retries.ts';

interface Source extends Required<RequestPlace> {
  client: S3Client;
}

/**
 * Downloads an object into a file, which appears whole or not at all. What an interrupted attempt downloaded is kept: it is
 * in `<file>.partial`, and the numbers of its parts in `<file>.partial.parts`. The hash of the whole is checked; when it is
 * wrong, everything is downloaded once more.
 *
 * @throws DamagedObject when the hash is wrong again; InputError, StoreError as for every request; StorageError of the disk
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
    await downloadParts(source, partial, size, options);
    const found = await hashFile(partial);
    await rm(`${partial}.parts`, { force: true });
    if (found === sha256) return rename(partial, file);
    await rm(partial, { force: true });
  }
  const { bucket, key } = source;
  throw new DamagedObject(`s3://${bucket}/${key}: is damaged: its SHA-256 is not ${sha256}. Upload it again`);
}

async function downloadParts(source: Source, partial: string, size: number, options: TransferOptions): Promise<void> {
  const { signal, onProgress } = options;
  const parts = partsOf(size);
  const done = await partsInFile(partial);
  const handle = await open(partial, done.size === 0 ? 'w' : 'r+').catch(storageError(partial));
  const limit = limitConcurrency(maxConcurrentParts);
  try {
    let bytes = parts.reduce((sum, part) => sum + (done.has(part.number) ? part.size : 0), 0);
    onProgress?.(bytes);
    const download = async (part: Part) => {
      const body = await withRetries(source, () => getPart(source, part, signal), { signal });
      await handle.write(body, 0, body.length, part.start).catch(storageError(partial));
      await appendFile(`${partial}.parts`, `${part.number}\n`).catch(storageError(partial));
      bytes += part.size;
      onProgress?.(bytes);
    };
    const missing = parts.filter((part) => !done.has(part.number) && part.size > 0);
    await Promise.all(missing.map((part) => limit(download, part)));
    // The last parts may have arrived before they could be stopped.
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
  throw new StoreError(`s3://${bucket}/${key}: received ${body.length} bytes instead of ${part.size}`);
}

async function partsInFile(partial: string): Promise<Set<number>> {
  const text = await readFile(`${partial}.parts`, 'utf8').catch(() => '');
  // A last line without its line break may lack a digit.
  return new Set(text.split('\n').slice(0, -1).map(Number));
}

function storageError(file: string) {
  return (cause: unknown): never => {
    throw new StorageError(file, cause);
  };
}
