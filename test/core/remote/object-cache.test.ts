import { createHash, randomBytes } from 'node:crypto';
import { appendFile, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bucket, s3Server } from '../../../bench/support/s3-server.ts';
import { InputError } from '../../../src/core/input-error.ts';
import { cacheLimit, openObjectCache } from '../../../src/core/remote/object-cache.ts';
import type { ObjectStore } from '../../../src/core/remote/object-store.ts';
import { openS3Store } from '../../../src/core/remote/s3-store.ts';
import { useS3Server } from '../../helpers/s3-server.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

useS3Server();
const mebibyte = 1024 * 1024;

/** A store whose downloads are counted, and objects in it. */
async function storeWith(sizes: number[]) {
  const folder = await temporaryFolder();
  const real = openS3Store(`s3://${bucket}/cache`);
  const downloads: string[] = [];
  const store: ObjectStore = {
    ...real,
    download: (key, ...rest) => {
      downloads.push(key);
      return real.download(key, ...rest);
    },
  };
  const objects = [];
  for (const [index, size] of sizes.entries()) {
    const file = join(folder, `source-${index}`);
    const body = randomBytes(size);
    await writeFile(file, body);
    const sha256 = createHash('sha256').update(body).digest('hex');
    await real.upload(sha256, file);
    objects.push({ key: sha256, content: { sha256, size }, body });
  }
  return { folder, store, downloads, objects };
}

describe.skipIf(s3Server === undefined)('the object cache', () => {
  it('downloads an object once for all workers of a machine, also when many need it at the same time', async () => {
    const { folder, store, downloads, objects } = await storeWith([3 * mebibyte]);
    const [object] = objects as [(typeof objects)[0]];
    const cache = () => openObjectCache(store, join(folder, 'cache'), 1e9);
    const files = ['a', 'b', 'c'].map((name) => join(folder, name, 'model.safetensors'));
    await Promise.all(files.map((file) => cache().download(object.key, object.content, file)));
    expect(downloads).toEqual([object.key]);
    for (const file of files) expect((await readFile(file)).equals(object.body)).toBe(true);
    expect((await stat(files[0] as string)).nlink).toBe(4);
  });

  it('gives files the permissions that the umask leaves', async () => {
    const { folder, store, objects } = await storeWith([2 * mebibyte]);
    const [object] = objects as [(typeof objects)[0]];
    const before = process.umask(0o027);
    onTestFinished(() => void process.umask(before));
    const files = ['model.safetensors', 'loss.jsonl'].map((name) => join(folder, name));
    for (const file of files) {
      await openObjectCache(store, join(folder, 'cache'), 1e9).download(object.key, object.content, file);
    }
    const modes = await Promise.all(files.map(async (file) => ((await stat(file)).mode & 0o777).toString(8)));
    expect(modes).toEqual(['440', '640']);
  });

  it('gives copies of files that may be appended to, so that the cached object stays unchanged', async () => {
    const { folder, store, downloads, objects } = await storeWith([2 * mebibyte]);
    const [object] = objects as [(typeof objects)[0]];
    const cache = openObjectCache(store, join(folder, 'cache'), 1e9);
    await cache.download(object.key, object.content, join(folder, 'loss.jsonl'));
    await appendFile(join(folder, 'loss.jsonl'), 'more');
    await cache.download(object.key, object.content, join(folder, 'again.jsonl'));
    expect((await readFile(join(folder, 'again.jsonl'))).equals(object.body)).toBe(true);
    expect(downloads).toHaveLength(1);
  });

  it('removes the least recently used objects, and never the newest', async () => {
    const { folder, store, downloads, objects } = await storeWith([2, 2, 2, 9].map((size) => size * mebibyte));
    const [first, second, third, huge] = objects as [
      (typeof objects)[0],
      (typeof objects)[0],
      (typeof objects)[0],
      (typeof objects)[0],
    ];
    const cache = openObjectCache(store, join(folder, 'cache'), 5 * mebibyte);
    const download = ({ key, content }: (typeof objects)[0]) => cache.download(key, content, join(folder, 'file'));
    for (const object of [first, second, first, third]) {
      await download(object);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect((await readdir(join(folder, 'cache'))).sort()).toEqual([first.key, third.key].sort());
    await download(first);
    expect(downloads).toEqual([first.key, second.key, third.key]);
    await download(huge);
    expect(await readdir(join(folder, 'cache'))).toEqual([huge.key]);
  });

  it('refuses a small object with a wrong hash', async () => {
    const { folder, store } = await storeWith([]);
    await store.write('wrong', 'something else');
    const content = { sha256: '0'.repeat(64), size: 14 };
    const cache = openObjectCache(store, join(folder, 'cache'), 1e9);
    await expect(cache.download('wrong', content, join(folder, 'file'))).rejects.toThrow(/cache\/wrong: is damaged/);
    await expect(cache.download('none', content, join(folder, 'file'))).rejects.toThrow(/cache\/none: is gone/);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('the limit of the cache', () => {
  it('is 100 gigabytes unless the environment says otherwise', () => {
    expect(cacheLimit({})).toBe(100e9);
    expect(cacheLimit({ DATAENGINE_STORE_CACHE_GIGABYTES: '1.5' })).toBe(1.5e9);
    expect(() => cacheLimit({ DATAENGINE_STORE_CACHE_GIGABYTES: 'lots' })).toThrow(InputError);
  });
});
