/** What a run may touch: its worker says so, not the config that somebody's workflow names or a bucket's writer wrote. */
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bucket, s3Server } from '../../bench/support/s3-server.ts';
import { textKeys } from '../../src/config/config-paths.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { fileExists, projectFile } from '../../src/core/files.ts';
import { usualWorkerSettings, type WorkerSettings } from '../../src/core/worker-settings.ts';
import { withNewRun, withOtherRun, withRun } from '../../src/round/open-run.ts';
import { extensions } from '../../workers/extensions.ts';
import { useS3Server } from '../helpers/s3-server.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { tinyModel, writeTinyRun } from './tiny-run.ts';

useS3Server();

const work = { extensions, signal: new AbortController().signal, onProgress: () => undefined };

/** Settings that list what the tiny run needs, and no more. */
function settingsFor(folder: string): WorkerSettings {
  return {
    ...usualWorkerSettings(),
    // The first is where a person at this machine types: paths of runs in a store start there.
    configs: [projectFile('configs'), folder],
    data: [join(folder, 'data')],
    models: [tinyModel],
    runs: [join(folder, 'runs')],
    cache: join(folder, 'of-the-worker'),
  };
}

test('a worker’s runs have the cache of its settings, and those of the terminal that of the config', async () => {
  const folder = await temporaryFolder();
  const config = await loadConfig(await writeTinyRun(folder));
  const access = settingsFor(folder);
  const cachesOf = async (extra: { access?: typeof access }) => {
    const options = { ...work, ...extra };
    const started = await withNewRun(config, 'run', options, async (run) => run.config.cacheDirectory);
    const resumed = await withRun(join(folder, 'runs', 'run'), options, async (run) => run.config.cacheDirectory);
    return [started, resumed];
  };
  expect(await cachesOf({ access })).toEqual([access.cache, access.cache]);
  expect(await cachesOf({})).toEqual([config.cacheDirectory, config.cacheDirectory]);
});

/** The config with another value at a key such as `model.path`; `[]` stands for the first item of a list. */
function withValue(config: Config, key: string, value: string): Config {
  const copy = structuredClone(config) as Record<string, unknown>;
  const keys = key.split('.');
  let at = copy;
  for (const name of keys.slice(0, -1)) {
    // A rubric is there for the metric that needs one.
    if (name === 'judge') at.metric = 'judge';
    if (name.endsWith('[]')) {
      const item = { benchmark: 'questions', name: 'own', file: 'questions.jsonl' };
      at[name.slice(0, -2)] = [item];
      at = item;
      continue;
    }
    at[name] ??= {};
    at = at[name] as Record<string, unknown>;
  }
  at[keys.at(-1) as string] = value;
  return copy as Config;
}

describe('a path of a config that is in none of the worker’s folders is refused', () => {
  const keys = textKeys(configSchema)
    .filter(({ key, kind }) => ['configs', 'data', 'models', 'runs'].includes(kind ?? '') && key !== 'extends')
    .map(({ key }) => key);

  test('by every key that may lead there', () => {
    expect(keys).toEqual(
      expect.arrayContaining([
        'model.path',
        'data.questionTypes',
        'sampling.embeddings.model',
        'teacher.prompt',
        'teacher.prices',
      ]),
    );
  });

  test.each(keys)('%s', async (key) => {
    const folder = await temporaryFolder();
    const config = await loadConfig(await writeTinyRun(folder));
    const access = settingsFor(folder);
    const opened = () => Promise.reject(new Error('the run was opened'));
    await mkdir(join(folder, 'runs'));
    const links = ['link', 'data/link', 'runs/link'].map((name) => join(folder, name));
    for (const link of links) await symlink('/etc', link);
    for (const path of ['/etc', join(folder, '..'), `${folder}/data/../..`, ...links]) {
      const other = withValue(config, key, path);
      const refusal = {
        name: 'InputError',
        field: key.replaceAll('[]', '[0]'),
        problem: 'is in none of the folders of this worker',
      };
      await expect(withNewRun(other, 'new', { ...work, access }, opened)).rejects.toMatchObject(refusal);
      expect(await fileExists(join(folder, 'runs', 'new'))).toBe(false);
      if (key === 'runsDirectory') continue;
      // A person may; the worker that is asked to work on it may not.
      await withNewRun(other, 'run', work, async () => undefined);
      await expect(withRun(join(folder, 'runs', 'run'), { ...work, access }, opened)).rejects.toMatchObject(refusal);
    }
  });

  test('a prompt is a regular file of limited size too', async () => {
    const folder = await temporaryFolder();
    const config = await loadConfig(await writeTinyRun(folder));
    const access = settingsFor(folder);
    const pipe = join(folder, 'prompt.md');
    execFileSync('mkfifo', [pipe]);
    const opening = (prompt: string) =>
      withNewRun(withValue(config, 'teacher.prompt', prompt), 'new', { ...work, access }, async () => undefined);
    await expect(opening(pipe)).rejects.toThrow(/is not a regular file/);
    await writeFile(join(folder, 'long.md'), 'x'.repeat(1_000_001));
    await expect(opening(join(folder, 'long.md'))).rejects.toThrow(/has 1000001 bytes/);
  });

  test.skipIf(s3Server === undefined)('in a run that a bucket’s writer wrote', async () => {
    const folder = await temporaryFolder();
    const store = `s3://${bucket}/${folder.split('/').at(-1)?.toLowerCase()}`;
    const config = await loadConfig(await writeTinyRun(folder, (tiny) => ({ ...tiny, store })));
    const theirs = { ...config, runsDirectory: join(folder, 'theirs'), cacheDirectory: join(folder, 'their-cache') };
    const access = { ...settingsFor(folder), stores: [store] };
    for (const key of ['model.path', 'teacher.prompt', 'data.questionTypes', 'data.root', 'verify.blindPrompt']) {
      const name = key.replace('.', '-');
      await withNewRun(withValue(theirs, key, '/etc'), name, work, async () => undefined);
      const opening = withRun(`${store}/runs/${name}`, { ...work, access }, async () => undefined);
      await expect(opening).rejects.toMatchObject({ name: 'InputError', field: key });
    }
    await withNewRun(theirs, 'good', work, async () => undefined);
    const root = await withRun(`${store}/runs/good`, { ...work, access }, async ({ run }) => run.root);
    expect(JSON.parse(await readFile(join(root, 'config.json'), 'utf8'))).toMatchObject({ store });
  });
});

describe.skipIf(s3Server === undefined)('the copy of a run in a store', () => {
  async function copyOfRun() {
    const folder = await temporaryFolder();
    const store = `s3://${bucket}/${folder.split('/').at(-1)?.toLowerCase()}`;
    const config = await loadConfig(await writeTinyRun(folder, (tiny) => ({ ...tiny, store })));
    const access = { ...settingsFor(folder), stores: [store] };
    const root = await withNewRun(config, 'run', { ...work, access }, async ({ run }) => run.root);
    return { folder, store, config, access, root };
  }

  test('can’t be named as a run of this disk, nor can a folder in it', async () => {
    const { access, root, store } = await copyOfRun();
    await mkdir(join(root, 'inner'));
    await writeFile(join(root, 'inner', 'config.json'), await readFile(join(root, 'config.json')));
    for (const named of [root, `${root}/`, `${root}/../run`, join(root, 'inner'), `file://${root}`]) {
      for (const settings of [access, undefined]) {
        const opening = withRun(named, { ...work, access: settings }, async () => 'opened');
        await expect(opening).rejects.toThrow(`is the copy of ${store}/runs/run, and no run of this disk`);
      }
    }
  });

  test('is not what a run without a store of that name works on', async () => {
    const { access, root, config } = await copyOfRun();
    const before = await readFile(join(root, 'config.json'), 'utf8');
    const local = { ...config, store: undefined };
    await expect(withNewRun(local, 'run', { ...work, access }, async () => 'opened')).rejects.toThrow(/is the copy of/);
    const other = withOtherRun({ config: local, signal: work.signal, access }, 'run', async () => 'opened');
    await expect(other).rejects.toThrow(/is the copy of/);
    expect(await readFile(join(root, 'config.json'), 'utf8')).toBe(before);
  });

  test('a run of this disk goes into a store when it is started there, never by being opened', async () => {
    const { folder, store, config, access } = await copyOfRun();
    const local = { ...config, store: undefined };
    await withNewRun(local, 'mine', { ...work, access }, async () => undefined);
    const opening = withRun(`${store}/runs/mine`, { ...work, access }, async () => 'opened');
    await expect(opening).rejects.toThrow(/there is no such run in the store/);
    const other = withOtherRun({ config, signal: work.signal, access }, 'mine', async () => 'opened');
    await expect(other).rejects.toThrow(/there is no such run in the store/);
    expect(await withRun(join(folder, 'runs', 'mine'), { ...work, access }, async () => 'opened')).toBe('opened');
    await withNewRun(config, 'mine', { ...work, access }, async () => undefined);
    expect(await withRun(`${store}/runs/mine`, { ...work, access }, async () => 'opened')).toBe('opened');
  });
});
