/** Where a run's caches are: the worker says so, not the config that somebody's workflow names. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { usualWorkerSettings } from '../../src/core/worker-settings.ts';
import { withNewRun, withRun } from '../../src/round/open-run.ts';
import { extensions } from '../../workers/extensions.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyRun } from './tiny-run.ts';

test('a worker’s runs have the cache of its settings, and those of the terminal that of the config', async () => {
  const folder = await temporaryFolder();
  const config = await loadConfig(await writeTinyRun(folder));
  const access = { ...usualWorkerSettings(), runs: [join(folder, 'runs')], cache: join(folder, 'of-the-worker') };
  const cachesOf = async (extra: { access?: typeof access }) => {
    const work = { extensions, signal: new AbortController().signal, onProgress: () => undefined, ...extra };
    const started = await withNewRun(config, 'run', work, async (run) => run.config.cacheDirectory);
    const resumed = await withRun(join(folder, 'runs', 'run'), work, async (run) => run.config.cacheDirectory);
    return [started, resumed];
  };
  expect(await cachesOf({ access })).toEqual([access.cache, access.cache]);
  expect(await cachesOf({})).toEqual([config.cacheDirectory, config.cacheDirectory]);
});
