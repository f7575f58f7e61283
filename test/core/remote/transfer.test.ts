import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { bucket, s3Server } from '../../../bench/support/s3-server.ts';
import { partsOf } from '../../../src/core/remote/parts.ts';
import { createS3Client, openS3Store } from '../../../src/core/remote/s3-store.ts';
import { DamagedObject } from '../../../src/core/remote/store-error.ts';
import { useS3Server } from '../../helpers/s3-server.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { faultyProxy } from './faulty-proxy.ts';

const server = useS3Server();
afterEach(() => vi.unstubAllEnvs());

const mebibyte = 1024 * 1024;
const uri = `s3://${bucket}/transfer`;

/** A file of three parts, and how it is verified. */
async function largeFile() {
  const folder = await temporaryFolder();
  const body = randomBytes(40 * mebibyte);
  const file = join(folder, 'weights');
  await writeFile(file, body);
  const sha256 = createHash('sha256').update(body).digest('hex');
  return { folder, file, body, sha256, size: body.length, key: `objects/${sha256}` };
}

async function throughProxy() {
  const proxy = await faultyProxy(server.port);
  vi.stubEnv('AWS_ENDPOINT_URL_S3', proxy.endpoint);
  return proxy;
}

/** Stops a transfer as soon as it has come this far. */
function stopAfter(bytes: number) {
  const stop = new AbortController();
  const onProgress = (done: number) => {
    if (done >= bytes) stop.abort(new Error('the worker was stopped'));
  };
  return { signal: stop.signal, onProgress };
}

describe.skipIf(s3Server === undefined)('a large file', () => {
  it('is uploaded in parts and downloaded unchanged; so are small and empty ones', async () => {
    const { folder, file, body, sha256, size, key } = await largeFile();
    const store = openS3Store(uri);
    const seen: number[] = [];
    await store.upload(key, file, { onProgress: (bytes) => seen.push(bytes) });
    expect(seen.at(-1)).toBe(size);
    await store.download(key, join(folder, 'back'), { size, sha256 });
    expect((await readFile(join(folder, 'back'))).equals(body)).toBe(true);
    for (const text of ['small', '']) {
      const hash = createHash('sha256').update(text).digest('hex');
      await writeFile(join(folder, 'small'), text);
      await store.upload(hash, join(folder, 'small'));
      await store.download(hash, join(folder, 'small-back'), { size: text.length, sha256: hash });
      expect(await readFile(join(folder, 'small-back'), 'utf8')).toBe(text);
    }
    expect((await readdir(folder)).sort()).toEqual(['back', 'small', 'small-back', 'weights']);
  });

  it('resumes an interrupted upload with the missing parts', async () => {
    const { folder, file, body, sha256, size, key } = await largeFile();
    await expect(openS3Store(uri).upload(key, file, stopAfter(8 * mebibyte))).rejects.toThrow('worker was stopped');
    expect(await openS3Store(uri).sizeOf(key)).toBeUndefined();
    const proxy = await throughProxy();
    const store = openS3Store(uri);
    const seen: number[] = [];
    await store.upload(key, file, { onProgress: (bytes) => seen.push(bytes) });
    expect(seen[0]).toBeGreaterThanOrEqual(8 * mebibyte);
    expect(proxy.sent).toBeLessThan(size - (seen[0] as number) + mebibyte);
    await store.download(key, join(folder, 'back'), { size, sha256 });
    expect((await readFile(join(folder, 'back'))).equals(body)).toBe(true);
  });

  it('is uploaded completely when an earlier upload of its key has other content', async () => {
    const { folder, file, body, sha256, size, key } = await largeFile();
    const other = join(folder, 'other');
    await writeFile(other, randomBytes(size));
    const store = openS3Store(uri);
    await expect(store.upload(key, other, stopAfter(8 * mebibyte))).rejects.toThrow();
    await store.upload(key, file);
    await store.download(key, join(folder, 'back'), { size, sha256 });
    expect((await readFile(join(folder, 'back'))).equals(body)).toBe(true);
  });

  it('resumes an interrupted download with the missing parts', async () => {
    const { folder, file, body, sha256, size, key } = await largeFile();
    await openS3Store(uri).upload(key, file);
    const back = join(folder, 'back');
    const stopped = openS3Store(uri).download(key, back, { size, sha256 }, stopAfter(8 * mebibyte));
    await expect(stopped).rejects.toThrow('worker was stopped');
    expect(await readdir(folder)).toContain('back.partial');
    const proxy = await throughProxy();
    const seen: number[] = [];
    const onProgress = (bytes: number) => seen.push(bytes);
    await openS3Store(uri).download(key, back, { size, sha256 }, { onProgress });
    expect(seen[0]).toBeGreaterThanOrEqual(8 * mebibyte);
    expect(proxy.answered).toBeLessThan(size - (seen[0] as number) + mebibyte);
    expect((await readFile(back)).equals(body)).toBe(true);
    expect((await readdir(folder)).sort()).toEqual(['back', 'weights']);
  });

  it('is downloaded once more when the hash is wrong', async () => {
    const { folder, file, body, sha256, size, key } = await largeFile();
    await openS3Store(uri).upload(key, file);
    const back = join(folder, 'back');
    await writeFile(`${back}.partial`, randomBytes(size));
    await writeFile(`${back}.partial.parts`, '1\n2\n');
    await openS3Store(uri).download(key, back, { size, sha256 });
    expect((await readFile(back)).equals(body)).toBe(true);
  });

  it('that is damaged in the store is reported with bucket and key, and leaves no file', async () => {
    const { folder, size, sha256, key } = await largeFile();
    const other = join(folder, 'other');
    await writeFile(other, randomBytes(size));
    const store = openS3Store(uri);
    await store.upload(key, other);
    const damaged = await store.download(key, join(folder, 'back'), { size, sha256 }).catch((error: unknown) => error);
    expect(damaged).toBeInstanceOf(DamagedObject);
    expect((damaged as Error).message).toContain(`${uri}/${key}`);
    expect((await readdir(folder)).sort()).toEqual(['other', 'weights']);
  });

  it('is transferred although connections are cut, in both directions', async () => {
    const { folder, file, body, sha256, size, key } = await largeFile();
    const proxy = await throughProxy();
    const some = (bytes: number) => (connection: number) => (connection % 3 === 1 ? bytes : undefined);
    proxy.faults = { cutAfterSent: some(3 * mebibyte), cutAfterAnswered: some(5 * mebibyte) };
    const store = openS3Store(uri);
    await store.upload(key, file);
    const connections = proxy.connections;
    await store.download(key, join(folder, 'back'), { size, sha256 });
    expect((await readFile(join(folder, 'back'))).equals(body)).toBe(true);
    expect(connections).toBeGreaterThan(1);
  });

  it('is transferred although a connection hangs', async () => {
    const { folder, file, sha256, size, key } = await largeFile();
    const proxy = await throughProxy();
    proxy.faults = { holds: (connection) => connection <= 2 };
    const store = openS3Store(uri, createS3Client({ idleSeconds: 1 }));
    await store.upload(key, file);
    proxy.faults = { holds: (connection) => connection <= proxy.connections + 1 };
    await store.download(key, join(folder, 'back'), { size, sha256 });
    expect(await store.sizeOf(key)).toBe(size);
  });
});

describe('parts', () => {
  it('cover a file, and are never more than S3 allows', () => {
    for (const size of [0, 1, 16 * mebibyte, 16 * mebibyte + 1, 14e9, 5e12]) {
      const parts = partsOf(size);
      expect(parts.length).toBeLessThanOrEqual(10_000);
      expect(parts.reduce((end, part) => (part.start === end ? end + part.size : Number.NaN), 0)).toBe(size);
    }
  });
});
