/** An object store in a bucket of S3, or of a server with its protocol. */
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3';
import { InputError } from '../input-error.ts';
import { downloadFile } from './download-file.ts';
import type { ObjectStore, SmallObject } from './object-store.ts';
import type { RequestPlace } from './store-error.ts';
import { parseStoreUri } from './store-uri.ts';
import { uploadFile } from './upload-file.ts';
import { withRetries } from './with-retries.ts';

/** S3 removes at most so many objects in one request. */
const maximumKeys = 1000;
const maximumConflicts = 10;

/**
 * Opens the store of a URI, such as `s3://bucket/prefix`, without a request to the server.
 *
 * Every request is retried while the server can't be reached, for about 45 seconds; then it fails with a StoreError. What a
 * person must repair (credentials, permissions, bucket) is an InputError at once.
 *
 * @param signal called before every attempt at a request; once its result is aborted, there are no further attempts
 */
export function openS3Store(
  uri: string,
  client: S3Client = createS3Client(),
  signal: () => AbortSignal | undefined = () => undefined,
): ObjectStore {
  const { bucket, prefix } = parseStoreUri(uri);
  const keyOf = (key: string) => (prefix === '' ? key : `${prefix}/${key}`);
  const place = (key: string) => ({ bucket, key: keyOf(key) });
  const retried = <R>(where: RequestPlace, request: () => Promise<R>) =>
    withRetries(where, request, { signal: signal() });
  const read: ObjectStore['read'] = (key, options) =>
    retried(place(key), () => readObject(client, place(key), options));
  return {
    uri: prefix === '' ? `s3://${bucket}` : `s3://${bucket}/${prefix}`,
    read,
    sizeOf: (key) =>
      retried(place(key), async () => {
        const answer = await client
          .send(new HeadObjectCommand({ Bucket: bucket, Key: keyOf(key) }))
          .catch(undefinedIfMissing);
        return answer?.ContentLength;
      }),
    write: (key, body, { only, contentType } = {}) =>
      retried(place(key), async () => {
        const bytes = Buffer.from(body);
        const version = await putIf(client, { ...place(key), body: bytes, only, contentType });
        if (version !== undefined || only === undefined) return version;
        // The answer to a write may have been lost, and the SDK have retried: then the stored object is our own.
        const there = await readObject(client, place(key));
        const isOwn = there?.body.equals(bytes) && (only === 'if absent' || there.version !== only.version);
        return isOwn ? there?.version : undefined;
      }),
    async *list(start) {
      const cut = prefix === '' ? 0 : prefix.length + 1;
      let after: string | undefined;
      for (;;) {
        const page = await retried(place(start), async () => {
          const pages = paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: keyOf(start), StartAfter: after });
          return (await pages.next()).value;
        });
        for (const { Key = '', Size = 0 } of page?.Contents ?? []) yield { key: Key.slice(cut), size: Size };
        if (!page?.IsTruncated) return;
        after = page.Contents?.at(-1)?.Key;
      }
    },
    async remove(keys) {
      for (let start = 0; start < keys.length; start += maximumKeys) {
        const Objects = keys.slice(start, start + maximumKeys).map((key) => ({ Key: keyOf(key) }));
        await retried({ bucket }, () =>
          client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } })),
        );
      }
    },
    upload: (key, file, options) => uploadFile({ client, ...place(key) }, file, { signal: signal(), ...options }),
    download: (key, file, expected, options) =>
      downloadFile({ client, ...place(key) }, file, expected, { signal: signal(), ...options }),
  };
}

/**
 * Checks that the server supports conditional writes: otherwise two workers could both commit a step.
 *
 * @param key of an object that is written for this check
 * @throws InputError when it does not
 */
export async function requireConditionalWrites(store: ObjectStore, key: string): Promise<void> {
  await store.write(key, 'first', { only: 'if absent' });
  const again = await store.write(key, 'second', { only: 'if absent' });
  if (again === undefined) return;
  throw new InputError({
    file: store.uri,
    field: 'store',
    problem: 'the server overwrites an object although the write is conditional (If-None-Match)',
    remedy: 'Use a server that supports conditional writes, such as Amazon S3 or SeaweedFS',
  });
}

interface Place {
  bucket: string;
  key: string;
}

/** Whoever writes into the bucket must not fill the memory of those that read from it. */
async function readObject(
  client: S3Client,
  { bucket, key }: Place,
  { mostBytes = 256 * 1024 * 1024 }: { mostBytes?: number } = {},
): Promise<SmallObject | undefined> {
  const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key })).catch(undefinedIfMissing);
  if (answer?.Body === undefined) return undefined;
  const body = answer.Body as Readable;
  const pieces: Buffer[] = [];
  let length = answer.ContentLength ?? 0;
  if (length <= mostBytes) {
    length = 0;
    for await (const piece of body as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > mostBytes) break;
      pieces.push(piece);
    }
  }
  if (length <= mostBytes) return { body: Buffer.concat(pieces), version: answer.ETag ?? '' };
  body.destroy();
  throw new InputError({
    file: `s3://${bucket}/${key}`,
    problem: `has ${length} bytes or more, and such an object may have ${mostBytes}`,
    remedy: 'Do not use this store, or remove the object: this program did not write it',
  });
}

async function putIf(
  client: S3Client,
  {
    bucket,
    key,
    body,
    only,
    contentType,
  }: Place & {
    body: Buffer;
    only: 'if absent' | { version: string } | undefined;
    contentType: string | undefined;
  },
): Promise<string | undefined> {
  const condition = only === undefined ? {} : only === 'if absent' ? { IfNoneMatch: '*' } : { IfMatch: only.version };
  const command = new PutObjectCommand({
    Bucket: bucket,
    Key: key,
    Body: body,
    ...(contentType !== undefined && { ContentType: contentType }),
    ...condition,
  });
  for (let tries = 1; ; tries += 1) {
    try {
      return (await client.send(command)).ETag ?? '';
    } catch (error) {
      const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
      const status = $metadata?.httpStatusCode;
      // 404: the object that the condition is about is gone.
      if (only !== undefined && (status === 412 || (status === 404 && name !== 'NoSuchBucket'))) return undefined;
      // 409: another conditional write is under way. Its outcome decides about this one.
      if (only === undefined || status !== 409 || tries === maximumConflicts) throw error;
      await sleep(50 * tries);
    }
  }
}

function undefinedIfMissing(error: unknown): undefined {
  const { name = '', $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
  if (name !== 'NoSuchBucket' && $metadata?.httpStatusCode === 404) return undefined;
  throw error;
}

// Newer versions of the SDK require a newer Node; the pinned one runs on all that we support.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

/**
 * A client that is configured by AWS's own variables and profiles: AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_REGION,
 * AWS_ENDPOINT_URL_S3 and the like. With a custom endpoint, buckets are named in the path, as most such servers require;
 * DATAENGINE_S3_PATH_STYLE (`true`, `false`) overrides this.
 *
 * @param options.idleSeconds a connection without traffic for this long is closed
 */
export function createS3Client({ idleSeconds = 60 }: { idleSeconds?: number } = {}): S3Client {
  const {
    AWS_ENDPOINT_URL_S3: ofS3,
    AWS_ENDPOINT_URL: ofAll,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: otherRegion,
    DATAENGINE_S3_PATH_STYLE: pathStyle,
  } = process.env;
  const endpoint = ofS3 || ofAll;
  return new S3Client({
    maxAttempts: 3,
    requestHandler: { connectionTimeout: 10_000, socketTimeout: idleSeconds * 1000 },
    forcePathStyle: pathStyle === undefined ? endpoint !== undefined : pathStyle === 'true',
    ...(endpoint && { endpoint, region: region || otherRegion || 'us-east-1' }),
  });
}
