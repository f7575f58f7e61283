/** A run in a store and a run of the disk that has its name: neither takes the place of the other. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { s3Server } from '../../../bench/support/s3-server.ts';
import { fileExists } from '../../../src/core/files.ts';
import { runUri } from '../../../src/core/remote/store-uri.ts';
import { pullRun, withStoredRun } from '../../../src/core/remote/stored-run.ts';
import { writeJson } from '../../../src/core/write-file.ts';
import { useS3Server } from '../../helpers/s3-server.ts';
import { never, rules, step } from './example-program.ts';
import { fleet } from './fleet.ts';

useS3Server();

const owns = ['round-0/merged'];

describe.skipIf(s3Server === undefined)('a run in a store', () => {
  it('is not found under a wrong name', async () => {
    const { store, a } = await fleet();
    const places = { runsDirectory: join(a.root, '..'), cacheDirectory: join(a.root, '..', 'cache') };
    const unknown = withStoredRun(runUri(store.uri, 'demmo'), { rules, signal: never }, async () => undefined, places);
    await expect(unknown).rejects.toThrow(/runs\/demmo: there is no such run in the store/);
    const pulling = pullRun(runUri(store.uri, 'demmo'), { rules, signal: never, weights: false }, places);
    await expect(pulling).rejects.toThrow(/there is no such run in the store/);
    expect(await fileExists(join(a.root, '..', 'demmo'))).toBe(false);
  });

  it('does not get a run of this disk by being opened: only where a run is started', async () => {
    const { store, a } = await fleet();
    await step({ root: a.root }, 'mine');
    await expect(a.work(async () => undefined, { starts: false })).rejects.toThrow(/there is no such run in the store/);
    const keys: string[] = [];
    for await (const { key } of store.list('')) keys.push(key);
    expect(keys).toEqual([]);
    expect(await fileExists(a.file('.store'))).toBe(false);
  });

  it.each([true, false])(
    'leaves a run of this disk that has its name as it is (the work starts a run: %s)',
    async (starts) => {
      const { a, b } = await fleet();
      await writeJson(a.file('config.json'), { mine: true });
      await step({ root: a.root }, 'mine');
      await b.work((run) => writeJson(join(run.root, 'config.json'), { theirs: true }));
      await b.work((run) => step(run, 'theirs'), { owns });
      const opening = a.work(async ({ stored }) => stored?.downloadAll(a.root), { starts });
      await expect(opening).rejects.toMatchObject({ name: 'InputError', file: a.root });
      await expect(opening).rejects.toThrow(
        /is a run of this disk, and not the copy of s3:.*\/runs\/demo\. Give the new run/,
      );
      expect(await readFile(a.file('config.json'), 'utf8')).toContain('mine');
      expect(await readFile(a.file('round-0/merged/config.json'), 'utf8')).toBe('mine');
      await expect(a.pull()).rejects.toThrow(/is a run of this disk/);
    },
  );

  it('is not mixed with a run of the same name in another store', async () => {
    const { a, b } = await fleet();
    const other = await fleet();
    await b.work((run) => writeJson(join(run.root, 'config.json'), { theirs: true }));
    await other.b.work((run) => writeJson(join(run.root, 'config.json'), { others: true }));
    await a.work(async () => undefined);
    const places = { runsDirectory: join(a.root, '..'), cacheDirectory: join(a.root, '..', '..', 'cache') };
    const uri = runUri(other.store.uri, 'demo');
    const opening = withStoredRun(uri, { rules, signal: never }, async () => undefined, places);
    await expect(opening).rejects.toThrow(/is the copy of s3:.*, and not of s3:/);
    expect(await readFile(a.file('config.json'), 'utf8')).toContain('theirs');
  });
});
