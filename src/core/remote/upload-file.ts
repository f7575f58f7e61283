import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  paginateListParts,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import limitConcurrency from 'p-limit';
import type { TransferOptions } from './object-store.ts';
import { type Part, partsAtOnce, partsOf } from './parts.ts';
import { type RequestPlace, StoreError } from './store-error.ts';
import { withPatience } from './with-patience.ts';

interface Target extends Required<RequestPlace> {
  client: S3Client;
}

type SentParts = Map<number, string>;

/**
 * Sends a file as an object: a small one in one request, a large one in parts. An upload of the same key that was broken
 * off goes on with the parts that it lacks; those that are there are compared with the file first.
 *
 * @throws InputError for credentials, rights or a bucket that a person must mend; StoreError, which may pass
 */
export async function uploadFile(target: Target, file: string, options: TransferOptions = {}): Promise<void> {
  const handle = await open(file);
  try {
    const parts = partsOf((await handle.stat()).size);
    const [only, ...others] = parts as [Part, ...Part[]];
    if (others.length > 0) {
      // Another worker may have gone on with the same upload, and have ended it.
      const ended = await sendInParts(target, handle, parts, options).then(() => true, falseIfNoSuchUpload);
      if (!ended && !(await isThere(target, parts))) await sendInParts(target, handle, parts, options);
      return;
    }
    await withPatience(target, async () => put(target, await readPart(handle, only)), options);
    options.onProgress?.(only.size);
  } finally {
    await handle.close();
  }
}

function falseIfNoSuchUpload(error: unknown): false {
  if (error instanceof StoreError && (error.cause as Error | undefined)?.name === 'NoSuchUpload') return false;
  throw error;
}

async function isThere(target: Target, parts: Part[]): Promise<boolean> {
  const { client, bucket, key } = target;
  const head = () => client.send(new HeadObjectCommand({ Bucket: bucket, Key: key })).catch(() => undefined);
  const answer = await withPatience(target, head);
  return answer?.ContentLength === parts.reduce((sum, { size }) => sum + size, 0);
}

async function put({ client, bucket, key }: Target, body: Buffer): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
}

async function sendInParts(target: Target, file: FileHandle, parts: Part[], options: TransferOptions): Promise<void> {
  const { client, bucket, key } = target;
  const patiently = <R>(request: () => Promise<R>) => withPatience(target, request, options);
  const begun = await patiently(() => findBegunUpload(target, file, parts));
  const UploadId = begun?.id ?? (await patiently(() => beginUpload(target)));
  const sent: SentParts = begun?.sent ?? new Map();
  let bytes = parts.reduce((sum, { number, size }) => sum + (sent.has(number) ? size : 0), 0);
  options.onProgress?.(bytes);
  const limit = limitConcurrency(partsAtOnce);
  const send = async (part: Part) => {
    const answer = await patiently(async () => {
      const Body = await readPart(file, part);
      return client.send(new UploadPartCommand({ Bucket: bucket, Key: key, UploadId, PartNumber: part.number, Body }));
    });
    sent.set(part.number, answer.ETag ?? '');
    bytes += part.size;
    options.onProgress?.(bytes);
  };
  try {
    await Promise.all(parts.filter(({ number }) => !sent.has(number)).map((part) => limit(send, part)));
  } finally {
    limit.clearQueue();
  }
  const Parts = parts.map(({ number }) => ({ PartNumber: number, ETag: sent.get(number) }));
  await patiently(() =>
    client.send(new CompleteMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId, MultipartUpload: { Parts } })),
  );
}

async function beginUpload({ client, bucket, key }: Target): Promise<string | undefined> {
  return (await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: key }))).UploadId;
}

/** The newest upload of the key that was broken off, with those of its parts that are as they are in the file. */
async function findBegunUpload(
  { client, bucket, key }: Target,
  file: FileHandle,
  parts: Part[],
): Promise<{ id: string; sent: SentParts } | undefined> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: key }));
  const ofKey = Uploads.filter((upload) => upload.Key === key);
  const id = ofKey.sort((left, right) => Number(left.Initiated) - Number(right.Initiated)).at(-1)?.UploadId;
  if (id === undefined) return undefined;
  const sent: SentParts = new Map();
  for await (const { Parts = [] } of paginateListParts({ client }, { Bucket: bucket, Key: key, UploadId: id })) {
    for (const { PartNumber = 0, Size, ETag = '' } of Parts) {
      const part = parts[PartNumber - 1];
      if (part !== undefined && Size === part.size && (await isAsInFile(file, part, ETag))) sent.set(PartNumber, ETag);
    }
  }
  return { id, sent };
}

/** The tag of a part is its MD5, but for some kinds of encryption: those parts are sent again. */
async function isAsInFile(file: FileHandle, part: Part, tag: string): Promise<boolean> {
  const md5 = createHash('md5')
    .update(await readPart(file, part))
    .digest('hex');
  return tag.replaceAll('"', '') === md5;
}

async function readPart(file: FileHandle, { start, size }: Part): Promise<Buffer> {
  const body = Buffer.alloc(size);
  for (let filled = 0; filled < size; ) {
    const { bytesRead } = await file.read(body, filled, size - filled, start + filled);
    if (bytesRead === 0) throw new Error('a file became shorter while it was sent to the store');
    filled += bytesRead;
  }
  return body;
}
