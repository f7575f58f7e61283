/** Where the paths in a run's frozen config lead. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { usualWorkerSettings, type WorkerSettings } from '../../src/core/worker-settings.ts';
import { freezeConfig, readFrozenConfig } from '../../src/round/frozen-config.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyRun } from './tiny-run.ts';

const settingsIn = (folder: string): WorkerSettings => ({
  ...usualWorkerSettings(),
  configs: [join(folder, 'configs')],
});

test('of a run in a store, those beside the worker’s configs are each machine’s own, and others the same on all', async () => {
  const [here, there] = [await temporaryFolder(), await temporaryFolder()];
  await mkdir(join(here, 'configs'));
  const file = await writeTinyRun(join(here, 'configs'), (tiny) => ({
    ...tiny,
    store: 's3://bucket/prefix',
    data: { ...tiny.data, root: '../photos', questionTypes: 'types.yaml' },
    teacher: { ...tiny.teacher, prompt: '/shared/prompt.md' },
  }));
  const config = await loadConfig(file);
  const written = await freezeConfig(config, 'mine', { runsDirectory: join(here, 'runs'), access: settingsIn(here) });
  expect(written.config.data).toMatchObject({ root: join(here, 'photos'), images: { train: 'COCO2017/train2017' } });
  const kept = JSON.parse(await readFile(join(written.directory.root, 'config.json'), 'utf8'));
  expect(kept).toMatchObject({ data: { root: '../photos', questionTypes: 'types.yaml' } });

  const { data, teacher } = await readFrozenConfig(written.directory.root, settingsIn(there));
  expect(data).toMatchObject({
    root: join(there, 'photos'),
    questionTypes: join(there, 'configs', 'types.yaml'),
    images: { train: 'COCO2017/train2017' },
  });
  expect(teacher.prompt).toBe('/shared/prompt.md');
});

test('of a run on a disk, all are whole', async () => {
  const folder = await temporaryFolder();
  const config = await loadConfig(
    await writeTinyRun(folder, (tiny) => ({ ...tiny, data: { ...tiny.data, root: 'data' } })),
  );
  const { directory } = await freezeConfig(config, 'mine');
  const { data } = JSON.parse(await readFile(join(directory.root, 'config.json'), 'utf8'));
  expect(data.root).toBe(join(folder, 'data'));
});
