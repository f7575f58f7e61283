/** Records and listings of a bucket that somebody else writes, and whose server answers as it likes. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { hashBytes } from '../../src/core/hash.ts';
import { runStepOnce } from '../../src/core/manifest.ts';
import { commitRunFiles } from '../../src/core/remote/commit-run-files.ts';
import { downloadAllFolders, downloadFolder, withoutWeights } from '../../src/core/remote/download-folder.ts';
import { openObjectCache } from '../../src/core/remote/object-cache.ts';
import type { ObjectStore } from '../../src/core/remote/object-store.ts';
import { ownFolder } from '../../src/core/remote/own-folder.ts';
import { leftovers, releaseFiles, removeReleased, storedFolders } from '../../src/core/remote/prune-run.ts';
import type { CopyOfRun } from '../../src/core/remote/run-copy.ts';
import { syncedFiles } from '../../src/core/remote/synced-files.ts';
import { storeRules } from '../../src/round/store-rules.ts';
import { damagedJson, damagedJsonText, hostileText } from './arbitraries.ts';
import { allowRefusal, placeSentinel, secret } from './sentinel.ts';
import { type FuzzTarget, fuzzTarget } from './target.ts';

type Objects = Map<string, Buffer>;

interface Bucket {
  /** Objects in place of the valid ones, by key. */
  objects: [key: string, content: Buffer][];
  /** Further keys that listings give. */
  listed: string[];
}

/** A server of objects that checks nothing: one that somebody else runs need not. */
function storeOf(objects: Objects, listed: readonly string[]): ObjectStore {
  const versionOf = (body: Buffer) => hashBytes(body);
  return {
    uri: 's3://bucket',
    async read(key) {
      const body = objects.get(key);
      return body && { body, version: versionOf(body) };
    },
    sizeOf: async (key) => objects.get(key)?.length,
    async write(key, body, { only } = {}) {
      const before = objects.get(key);
      if (only === 'if absent' && before !== undefined) return undefined;
      if (typeof only === 'object' && (before === undefined || versionOf(before) !== only.version)) return undefined;
      objects.set(key, Buffer.from(body));
      return versionOf(Buffer.from(body));
    },
    async *list(prefix) {
      for (const [key, body] of objects) if (key.startsWith(prefix)) yield { key, size: body.length };
      for (const text of listed) yield* [prefix + text, text].map((key) => ({ key, size: 1_000_000 }));
    },
    async remove(keys) {
      for (const key of keys) objects.delete(key);
    },
    async upload(key, file) {
      objects.set(key, await readFile(file));
    },
    async download(key, file) {
      await writeFile(file, objects.get(key) ?? '');
    },
  };
}

const folder = 'round-0/merged';
const manifestPath = `${folder}/manifest.json`;

/** What a worker does with a run in a store, and how it leaves what it made there. */
async function workOn(root: string, cacheFolder: string, store: ObjectStore): Promise<void> {
  const cache = openObjectCache(store, cacheFolder);
  const copy: CopyOfRun = { store, cache, key: 'runs/demo', root, rules: storeRules };
  const synced = syncedFiles(copy);
  await allowRefusal(() => downloadFolder(copy, '', storeRules.isReadBySteps));
  await allowRefusal(() => downloadAllFolders(copy, '', withoutWeights));
  await allowRefusal(() => synced.sync(join(root, 'ledger')));
  await allowRefusal(async () => {
    const own = await ownFolder(copy, folder);
    await merge(join(root, folder));
    await own.commit();
  });
  await allowRefusal(() => synced.upload());
  await allowRefusal(() => commitRunFiles(copy));
  await allowRefusal(async () => {
    const folders = await storedFolders(store, 'demo');
    await leftovers(store, folders);
    for (const one of folders.filter(({ folder: name }) => name === folder)) {
      await releaseFiles(store, one, [`${folder}/a`], { path: `${folder}/pruned.json`, text: '{}' });
    }
    await removeReleased(store, 'demo', Date.now());
  });
}

async function merge(directory: string): Promise<void> {
  const work = async () => {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'a'), 'a');
    return { outputs: ['a'], metrics: {} };
  };
  await runStepOnce({ directory, step: 'merge', inputs: { from: 'x' }, work });
}

async function validRun(root: string, cacheFolder: string): Promise<Objects> {
  const objects: Objects = new Map();
  await mkdir(join(root, 'ledger'), { recursive: true });
  await writeFile(join(root, 'config.json'), '{}');
  await merge(join(root, folder));
  await workOn(root, cacheFolder, storeOf(objects, []));
  objects.set('runs/demo/ledger/other.jsonl', Buffer.from('{}\n'));
  const released = { schemaVersion: 1, objects: { ['a'.repeat(64)]: 5 } };
  objects.set('runs/demo/released.json', Buffer.from(JSON.stringify(released)));
  return objects;
}

/** Records of the run and of a step's folder; and a manifest whose hash is right. */
function buckets(valid: Objects): fc.Arbitrary<Bucket> {
  const jsonOf = (key: string) => JSON.parse(String(valid.get(key)));
  const records = ['runs/demo/folder.json', `runs/demo/${folder}/folder.json`, 'runs/demo/released.json'];
  const step = jsonOf(records[1] as string);
  const manifest = jsonOf(`objects/${step.files[manifestPath].sha256}`);
  const record = fc
    .constantFrom(...records)
    .chain((key) => damagedJsonText(jsonOf(key)).map((content): Bucket['objects'] => [[key, content]]));
  const manifests = damagedJson(manifest).map((changed): Bucket['objects'] => {
    const content = Buffer.from(JSON.stringify(changed) ?? '');
    const sha256 = hashBytes(content);
    const files = { ...step.files, [manifestPath]: { sha256, size: content.length } };
    return [
      [records[1] as string, Buffer.from(JSON.stringify({ ...step, files }))],
      [`objects/${sha256}`, content],
    ];
  });
  const named = hostileText.map((path): Bucket['objects'] => {
    const [key] = records as [string];
    const changed = jsonOf(key);
    const files = Object.fromEntries([...Object.entries(changed.files), [path, Object.values(step.files)[0]]]);
    return [[key, Buffer.from(JSON.stringify({ ...changed, files }))]];
  });
  return fc.record({
    objects: fc.array(fc.oneof(record, manifests, named), { minLength: 1, maxLength: 2 }).map((all) => all.flat()),
    listed: fc.array(
      fc.oneof(
        hostileText,
        hostileText.map((text) => `${text}/folder.json`),
      ),
      { maxLength: 2 },
    ),
  });
}

const storeTarget = fuzzTarget<Bucket>('store-records', async (own) => {
  const { root, check } = await placeSentinel(own);
  const cache = join(own, 'cache');
  const valid = await validRun(root, cache);
  return {
    input: buckets(valid),
    show: ({ objects, listed }) =>
      [...objects.map(([key, content]) => `${key} = ${content}`), `listed ${JSON.stringify(listed)}`].join('; '),
    async take({ objects, listed }) {
      await rm(root, { recursive: true, force: true });
      const all: Objects = new Map([...valid, ...objects]);
      await workOn(root, cache, storeOf(all, listed));
      await check();
      for (const [key, content] of all) {
        if (content.includes(secret)) throw new Error(`${key} has a file from outside of the run`);
        if (!/^(runs\/demo\/|objects\/)/.test(key)) throw new Error(`an object of another run was written: ${key}`);
      }
    },
  };
});

export const storeTargets: readonly FuzzTarget[] = [storeTarget];
