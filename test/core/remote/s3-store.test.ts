import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { bucket, s3Server } from '../../../bench/support/s3-server.ts';
import { InputError } from '../../../src/core/input-error.ts';
import { createS3Client, openS3Store, requireConditionalWrites } from '../../../src/core/remote/s3-store.ts';
import { parseStoreUri } from '../../../src/core/remote/store-uri.ts';
import { useS3Server } from '../../helpers/s3-server.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

useS3Server();
afterEach(() => vi.unstubAllEnvs());

async function keysIn(list: AsyncIterable<{ key: string; size: number }>) {
  const found = [];
  for await (const object of list) found.push(object);
  return found;
}

const failure = (work: Promise<unknown>) => work.then(() => undefined).catch((error: unknown) => error);

it('stops reading an object of which the server does not say how long it is', async () => {
  let sent = 0;
  const server = createServer((_, response) => {
    response.writeHead(200, { etag: '"x"' });
    const send = () => {
      if (response.destroyed) return;
      sent += 65536;
      response.write(Buffer.alloc(65536), send);
    };
    send();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  vi.stubEnv('AWS_ENDPOINT_URL_S3', `http://127.0.0.1:${port}`);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'a');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'b');
  const reading = openS3Store('s3://endless').read('runs/a/folder.json', { mostBytes: 1_000_000 });
  await expect(reading).rejects.toMatchObject({
    name: 'InputError',
    problem: expect.stringContaining('may have 1000000'),
  });
  expect(sent).toBeLessThan(20_000_000);
});

describe.skipIf(s3Server === undefined)('a store on S3', () => {
  it('reads what was written, with a version for each write; a missing object is undefined', async () => {
    const store = openS3Store(`s3://${bucket}/some/prefix/`);
    expect(store.uri).toBe(`s3://${bucket}/some/prefix`);
    const first = await store.write('a.json', 'one');
    const second = await store.write('a.json', 'two');
    expect(second).not.toBe(first);
    expect(await store.read('a.json')).toEqual({ body: Buffer.from('two'), version: second });
    expect(await store.sizeOf('a.json')).toBe(3);
    expect(await store.read('b.json')).toBeUndefined();
    expect(await store.sizeOf('b.json')).toBeUndefined();
  });

  it('does not read an object that is larger than a small one may be', async () => {
    const store = openS3Store(`s3://${bucket}/large`);
    await store.write('a.json', 'x'.repeat(5000));
    expect((await store.read('a.json', { mostBytes: 5000 }))?.body.length).toBe(5000);
    await expect(store.read('a.json', { mostBytes: 4999 })).rejects.toMatchObject({
      name: 'InputError',
      file: `s3://${bucket}/large/a.json`,
      problem: 'has 5000 bytes or more, and such an object may have 4999',
    });
  });

  it('lists all keys below a prefix, over many pages, and removes them', async () => {
    const store = openS3Store(`s3://${bucket}/listed`);
    const names = Array.from({ length: 1100 }, (_, index) => `many/${String(index).padStart(4, '0')}`);
    for (let start = 0; start < names.length; start += 100)
      await Promise.all(names.slice(start, start + 100).map((name) => store.write(name, name)));
    await store.write('other', 'x');
    const found = await keysIn(store.list('many/'));
    expect(found).toEqual(names.map((key) => ({ key, size: 9 })));
    await store.remove(names);
    expect(await keysIn(store.list(''))).toEqual([{ key: 'other', size: 1 }]);
  });

  it('lets one of many writers win, for a new object and for a version', async () => {
    const store = openS3Store(`s3://${bucket}/conditional`);
    await requireConditionalWrites(store, 'check');
    const race = async (only: 'if absent' | { version: string }) => {
      const bodies = Array.from({ length: 4 }, () => randomUUID());
      const writers = bodies.map((body) => store.write('step', body, { only }));
      const versions = await Promise.all(writers);
      const winner = versions.findIndex((version) => version !== undefined);
      expect(versions.filter((version) => version !== undefined)).toHaveLength(1);
      const there = await store.read('step');
      expect(there).toEqual({ body: Buffer.from(bodies[winner] ?? ''), version: versions[winner] });
      return there?.version as string;
    };
    const version = await race('if absent');
    await race({ version });
    expect(await store.write('gone', 'x', { only: { version } })).toBeUndefined();
  });

  it('recognizes its own write when the answer to it was lost', async () => {
    const store = openS3Store(`s3://${bucket}/lost-answer`);
    await store.write('step', 'mine', { only: 'if absent' });
    expect(await store.write('step', 'mine', { only: 'if absent' })).toBe((await store.read('step'))?.version);
    expect(await store.write('step', 'yours', { only: 'if absent' })).toBeUndefined();
  });

  it('names wrong credentials, bucket or key, without retries', async () => {
    const noBucket = await failure(openS3Store('s3://no-such-bucket/x').read('a'));
    expect(noBucket).toBeInstanceOf(InputError);
    expect(noBucket).toMatchObject({
      message: expect.stringMatching(/^s3:\/\/no-such-bucket\/x\/a: .*no such bucket/),
    });
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'not the secret of this key');
    const secret = await failure(openS3Store(`s3://${bucket}/x`).read('a'));
    expect(secret).toMatchObject({ name: 'InputError', remedy: expect.stringContaining('AWS_SECRET_ACCESS_KEY') });
    const head = await failure(openS3Store(`s3://${bucket}/x`).sizeOf('a'));
    expect(head).toMatchObject({ name: 'InputError', message: expect.stringContaining(`s3://${bucket}/x/a`) });
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'unknown');
    const key = await failure(openS3Store(`s3://${bucket}/x`).write('a', 'x'));
    expect(key).toMatchObject({ name: 'InputError', problem: 'does not know this access key' });
  });

  it('reports missing credentials', async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, undefined);
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'config'), '');
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'config'));
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    const error = await failure(openS3Store(`s3://${bucket}/x`).read('a'));
    expect(error).toMatchObject({ name: 'InputError', problem: 'there are no credentials for it' });
  });

  it('refuses a server that does not support conditional writes', async () => {
    const server = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(200, { etag: '"any"' }).end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    vi.stubEnv('AWS_ENDPOINT_URL_S3', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const error = await failure(requireConditionalWrites(openS3Store('s3://some-bucket'), 'check'));
    expect(error).toMatchObject({ name: 'InputError', message: expect.stringContaining('If-None-Match') });
  });
});

describe("a store that can't be reached", () => {
  it('gets no further requests once the work is canceled', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_S3', 'http://127.0.0.1:1');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'some-key');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'some-secret');
    const stop = new AbortController();
    const asked = openS3Store('s3://some-bucket', createS3Client(), () => stop.signal).read('key');
    setTimeout(() => stop.abort(new Error('cancelled')), 500);
    await expect(asked).rejects.toThrow('cancelled');
  });
});

describe('the address of a store', () => {
  it('is a bucket, and a prefix or none', () => {
    expect(parseStoreUri('s3://runs')).toEqual({ bucket: 'runs', prefix: '' });
    expect(parseStoreUri('s3://runs/team/a/')).toEqual({ bucket: 'runs', prefix: 'team/a' });
  });

  it.each(['s3://', 's3://Capital', 'http://x/y', 's3://runs/../up', 's3://runs/a//b', '/tmp/x'])(
    '%s is none',
    (uri) => {
      expect(() => parseStoreUri(uri)).toThrow(/Write s3:\/\/bucket/);
    },
  );
});
