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
import { maxConcurrentParts, type Part, partsOf } from './parts.ts';
import { type RequestPlace, StoreError } from './store-error.ts';
import { withRetries } from './with-retries.ts';

interface Target extends Required<RequestPlace> {
  client: S3Client;
}

/** Number of a part → its ETag. */
type UploadedParts = Map<number, string>;

/**
 * Uploads a file as an object: a small one in one request, a large one in parts. An interrupted upload of the same key
 * resumes with the parts that it lacks; those that are there are compared with the file first.
 *
 * @throws InputError for credentials, permissions or a bucket that a person must repair; StoreError, which may pass
 */
export async function uploadFile(target: Target, file: string, options: TransferOptions = {}): Promise<void> {
  const handle = await open(file);
  try {
    const parts = partsOf((await handle.stat()).size);
    const [only, ...others] = parts as [Part, ...Part[]];
    if (others.length > 0) {
      // Another worker may have resumed the same upload, and completed it.
      const completed = await uploadParts(target, handle, parts, options).then(() => true, falseIfNoSuchUpload);
      if (!completed && !(await isStored(target, parts))) await uploadParts(target, handle, parts, options);
      return;
    }
    await withRetries(target, async () => put(target, await readPart(handle, only)), options);
    options.onProgress?.(only.size);
  } finally {
    await handle.close();
  }
}

function falseIfNoSuchUpload(error: unknown): false {
  if (error instanceof StoreError && (error.cause as Error | undefined)?.name === 'NoSuchUpload') return false;
  throw error;
}

async function isStored(target: Target, parts: Part[]): Promise<boolean> {
  const { client, bucket, key } = target;
  const head = () => client.send(new HeadObjectCommand({ Bucket: bucket, Key: key })).catch(() => undefined);
  const answer = await withRetries(target, head);
  return answer?.ContentLength === parts.reduce((sum, { size }) => sum + size, 0);
}

async function put({ client, bucket, key }: Target, body: Buffer): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
}

async function uploadParts(target: Target, file: FileHandle, parts: Part[], options: TransferOptions): Promise<void> {
  const { client, bucket, key } = target;
  const retried = <R>(request: () => Promise<R>) => withRetries(target, request, options);
  const started = await retried(() => findStartedUpload(target, file, parts));
  const UploadId = started?.id ?? (await retried(() => startUpload(target)));
  const uploaded: UploadedParts = started?.uploaded ?? new Map();
  let bytes = parts.reduce((sum, { number, size }) => sum + (uploaded.has(number) ? size : 0), 0);
  options.onProgress?.(bytes);
  const limit = limitConcurrency(maxConcurrentParts);
  const upload = async (part: Part) => {
    const answer = await retried(async () => {
      const Body = await readPart(file, part);
      return client.send(new UploadPartCommand({ Bucket: bucket, Key: key, UploadId, PartNumber: part.number, Body }));
    });
    uploaded.set(part.number, answer.ETag ?? '');
    bytes += part.size;
    options.onProgress?.(bytes);
  };
  try {
    await Promise.all(parts.filter(({ number }) => !uploaded.has(number)).map((part) => limit(upload, part)));
  } finally {
    limit.clearQueue();
  }
  const Parts = parts.map(({ number }) => ({ PartNumber: number, ETag: uploaded.get(number) }));
  await retried(() =>
    client.send(new CompleteMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId, MultipartUpload: { Parts } })),
  );
}

async function startUpload({ client, bucket, key }: Target): Promise<string | undefined> {
  return (await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: key }))).UploadId;
}

/** The newest interrupted upload of the key, with those of its parts that equal the file's. */
async function findStartedUpload(
  { client, bucket, key }: Target,
  file: FileHandle,
  parts: Part[],
): Promise<{ id: string; uploaded: UploadedParts } | undefined> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: key }));
  const ofKey = Uploads.filter((upload) => upload.Key === key);
  const id = ofKey.sort((left, right) => Number(left.Initiated) - Number(right.Initiated)).at(-1)?.UploadId;
  if (id === undefined) return undefined;
  const uploaded: UploadedParts = new Map();
  for await (const { Parts = [] } of paginateListParts({ client }, { Bucket: bucket, Key: key, UploadId: id })) {
    for (const { PartNumber = 0, Size, ETag = '' } of Parts) {
      const part = parts[PartNumber - 1];
      if (part !== undefined && Size === part.size && (await equalsFile(file, part, ETag)))
        uploaded.set(PartNumber, ETag);
    }
  }
  return { id, uploaded };
}

/** The tag of a part is its MD5, except with some kinds of encryption: those parts are uploaded again. */
async function equalsFile(file: FileHandle, part: Part, tag: string): Promise<boolean> {
  const md5 = createHash('md5')
    .update(await readPart(file, part))
    .digest('hex');
  return tag.replaceAll('"', '') === md5;
}

async function readPart(file: FileHandle, { start, size }: Part): Promise<Buffer> {
  const body = Buffer.alloc(size);
  for (let filled = 0; filled < size; ) {
    const { bytesRead } = await file.read(body, filled, size - filled, start + filled);
    if (bytesRead === 0) throw new Error('a file became shorter while it was uploaded to the store');
    filled += bytesRead;
  }
  return body;
}
