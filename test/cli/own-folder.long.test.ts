/**
 * Three commands from a folder to a report, as the README shows them: images under names of their own without annotations, a
 * file of questions with choices and with short answers, and the local teacher, which sees the images. Only the folder is
 * smaller.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { runningWith } from '../../bench/support/processes.ts';
import { freePorts } from '../../src/core/free-ports.ts';
import { makeSandbox } from '../docs/sandbox.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

test('init, run --local, report', async () => {
  const environment = {
    // Nothing listens there: a server on this machine must not be joined.
    TEMPORAL_ADDRESS: `127.0.0.1:${(await freePorts(1))[0]}`,
    // Workers have the settings of a newcomer.
    DATAENGINE_WORKER_SETTINGS: '',
  };
  const sandbox = await makeSandbox(await temporaryFolder(), environment);
  onTestFinished(() => sandbox.close());
  await sandbox.type('dataengine demo --folder photos --images 60');
  const files = await readdir(join(sandbox.folder, 'photos'), { recursive: true });
  expect(files.filter((file) => file.endsWith('.json'))).toEqual([]);

  const understood = await sandbox.type('dataengine init photos --model data/stage1 --teacher local');
  expect(understood).toMatch(/\d+ with 4 choices, \d+ with short answers/);
  expect(understood).toMatch(/^Next: dataengine run --local$/m);
  const { run } = parse(await readFile(join(sandbox.folder, 'dataengine.yaml'), 'utf8')) as { run: string };
  const folder = join(sandbox.folder, 'runs', run);

  const shown = await sandbox.type('dataengine run --local');
  expect(shown).toContain('Started       server, cpu worker, gpu worker');
  await expect.poll(() => runningWith(sandbox.folder), { timeout: 10_000 }).toEqual([]);
  const data = JSON.parse(await readFile(join(folder, 'round-1', 'DataEngine_round1_data.json'), 'utf8')) as {
    image_id: unknown;
    choices: string[];
  }[];
  expect(data.length).toBeGreaterThan(10);
  expect(data.every(({ image_id }) => typeof image_id === 'string')).toBe(true);
  // Both kinds were asked for, since both had bad cases.
  expect(new Set(data.map(({ choices }) => choices.length > 0)).size).toBe(2);

  await rm(join(folder, 'report.html'));
  expect(await sandbox.type('dataengine report')).toContain('report');
  expect(await readFile(join(folder, 'report.html'), 'utf8')).toContain('<svg');
}, 900_000);
