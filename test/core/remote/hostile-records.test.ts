/** Whoever can write into the bucket must not write, read or remove files outside of the run's folder on a worker. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bucket, s3Server } from '../../../bench/support/s3-server.ts';
import { hashBytes } from '../../../src/core/hash.ts';
import { runStepOnce } from '../../../src/core/manifest.ts';
import { downloadAllFolders } from '../../../src/core/remote/download-folder.ts';
import type { ObjectStore } from '../../../src/core/remote/object-store.ts';
import type { CopyOfRun } from '../../../src/core/remote/run-copy.ts';
import { runUri } from '../../../src/core/remote/store-uri.ts';
import { openStore, withStoredRun } from '../../../src/core/remote/stored-run.ts';
import { syncedFiles } from '../../../src/core/remote/synced-files.ts';
import { storeRules } from '../../../src/round/store-rules.ts';
import { useS3Server } from '../../helpers/s3-server.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

useS3Server();

const text = 'ssh-ed25519 AAAA somebody';
const good = { sha256: hashBytes(text), size: text.length };

/** A run whose records somebody else wrote. */
async function hostileRun(records: Record<string, { state?: string; files: Record<string, unknown> }>) {
  const folder = await temporaryFolder();
  const address = `s3://${bucket}/${folder.split('/').at(-1)?.toLowerCase()}`;
  const store = openStore(address);
  await store.write(`objects/${good.sha256}`, text);
  for (const [name, { state = 'finished', files }] of Object.entries(records)) {
    const record = { schemaVersion: 1, state, attempt: 'x', host: 'x', at: 'x', files };
    await store.write(`runs/demo${name === '' ? '' : `/${name}`}/folder.json`, JSON.stringify(record));
  }
  const places = { runsDirectory: join(folder, 'runs'), cacheDirectory: join(folder, 'cache') };
  const outside = join(folder, 'authorized_keys');
  await writeFile(outside, 'mine');
  return {
    store,
    root: join(places.runsDirectory, 'demo'),
    outside,
    open: (download?: string) =>
      withStoredRun(
        runUri(address, 'demo'),
        { rules: storeRules, starts: true, signal: new AbortController().signal },
        async ({ root, stored }) => {
          if (download === undefined) await stored?.downloadAll(root);
          else if (download.startsWith('sync:')) await stored?.sync(join(root, download.slice(5)));
          else await stored?.download(join(root, download), { weights: true });
        },
        places,
      ),
  };
}

const unharmed = async (outside: string) => expect(await readFile(outside, 'utf8')).toBe('mine');

describe.skipIf(s3Server === undefined)('a record in the bucket is refused that', () => {
  test.each([
    '../../authorized_keys',
    '/root/.ssh/authorized_keys',
    'round-0/merged/../../../../authorized_keys',
    '..\\..\\authorized_keys',
    'C:\\authorized_keys',
  ])('names the file %s', async (path) => {
    for (const name of ['', 'round-0/merged']) {
      const run = await hostileRun({ '': { files: {} }, [name]: { files: { [path]: good } } });
      await expect(run.open(name === '' ? undefined : name)).rejects.toThrow(/leads out of its folder/);
      await unharmed(run.outside);
    }
  });

  test.each([
    '.store/run.json',
    './.store/store.json',
    './/.store/store.json',
    '.store//store.json',
    '.\\.store\\store.json',
  ])('names a mark of this disk: %s', async (path) => {
    const marks = await hostileRun({ '': { files: { [path]: good } } });
    await expect(marks.open()).rejects.toThrow(/is no file of a run/);
  });

  // The folder's own mark would be the one that says whose copy the run's folder is.
  test.each(['.store', './.store', 'store', './store', 'run', 'round-0/./merged'])(
    'is of a folder with the name of a mark: %s',
    async (name) => {
      const run = await hostileRun({ '': { files: {} } });
      await run.open();
      const claim = join(run.root, '.store', 'store.json');
      const before = await readFile(claim, 'utf8');
      const record = { schemaVersion: 1, state: 'finished', attempt: 'x', host: 'x', at: 'x', files: {} };
      const list = async function* () {
        yield { key: `runs/demo/${name}/folder.json`, size: 100 };
      };
      const read = async () => ({ body: Buffer.from(JSON.stringify(record)), version: '2' });
      const store = { ...run.store, list, read } as ObjectStore;
      const copy = { store, key: 'runs/demo', root: run.root, rules: storeRules } as CopyOfRun;
      await expect(downloadAllFolders(copy, '', () => true)).rejects.toThrow(/is no folder of a run/);
      expect(await readFile(claim, 'utf8')).toBe(before);
    },
  );

  test('gives a hash that is none', async () => {
    for (const sha256 of ['../../authorized_keys', `${good.sha256}/..`, good.sha256.toUpperCase()]) {
      const run = await hostileRun({ '': { files: { 'config.json': { sha256, size: text.length } } } });
      await expect(run.open()).rejects.toThrow(/is no SHA-256/);
    }
  });
});

test('a step is run again when its manifest names a file outside: nothing is removed', async () => {
  const folder = await temporaryFolder();
  const directory = join(folder, 'round-0', 'merged');
  const outside = join(folder, 'authorized_keys');
  await writeFile(outside, 'mine');
  await mkdir(directory, { recursive: true });
  const work = async () => {
    await writeFile(join(directory, 'a'), 'a');
    return { outputs: ['a'], metrics: {} };
  };
  await runStepOnce({ directory, step: 'merge', inputs: {}, work });
  const manifest = JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8'));
  manifest.outputs = { '../../authorized_keys': '0'.repeat(64) };
  await writeFile(join(directory, 'manifest.json'), JSON.stringify(manifest));
  expect((await runStepOnce({ directory, step: 'merge', inputs: {}, work })).skipped).toBe(false);
  await unharmed(outside);
});

test('a listing that leads out of its folder is refused', async () => {
  const folder = await temporaryFolder();
  const key = 'runs/demo';
  // Servers refuse or normalize such keys; one in other hands need not.
  const store = {
    uri: 's3://bucket',
    list: async function* () {
      yield { key: `${key}/ledger/../../../authorized_keys`, size: 100 };
    },
    read: async () => ({ body: Buffer.from(text), version: '1' }),
  } as unknown as ObjectStore;
  const { sync } = syncedFiles({ store, key, root: join(folder, 'demo') } as CopyOfRun);
  await expect(sync(join(folder, 'demo', 'ledger'))).rejects.toThrow(/leads out of its folder/);
});
