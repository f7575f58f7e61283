/**
 * A run directory that can't be written.
 */
import { chmod, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toActivityFailure } from '../../activities/errors.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { openJsonLines } from '../../src/core/append-json-lines.ts';
import { StorageError } from '../../src/core/write-file.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { freezeConfig } from '../../src/round/frozen-config.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { noTinyDisk, setReadOnly, tinyDisk } from '../helpers/tiny-disk.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

const failureOf = (work: Promise<unknown>) => work.catch((error: unknown) => error);

test('a disk that turns read-only fails the step with that reason, and finished work is kept', async (context) => {
  const disk = tinyDisk(64 * 1024 * 1024) ?? context.skip(noTinyDisk);
  const configFile = await writeTinyRun(await temporaryFolder(), (config) => ({ ...config, runsDirectory: disk }));
  const step = await tinyContext(configFile);
  await finetune(step);
  const before = (await readdir(disk, { recursive: true })).sort();

  setReadOnly(disk, true);
  const error = await failureOf(merge(step));
  expect(error).toBeInstanceOf(StorageError);
  expect((error as Error).message).toBe(
    `${join(step.run.root, 'round-0', 'merged', 'started.json')}: the disk is read-only. Choose another folder`,
  );
  // It may be mounted anew: Temporal tries again.
  expect(toActivityFailure(error)).toBe(error);
  expect(await finetune(step)).toMatchObject({ reused: true });
  expect((await readdir(disk, { recursive: true })).sort()).toEqual(before);

  setReadOnly(disk, false);
  expect(await merge(step)).toMatchObject({ reused: false });
});

test('a folder without write permission is named, with a remedy', async () => {
  const folder = await temporaryFolder();
  const runs = join(folder, 'runs');
  const config = await loadConfig(await writeTinyRun(folder));
  await mkdir(runs);
  await chmod(folder, 0o755);
  await chmod(runs, 0o555);
  const permissions = 'may not be written. Check the permissions of its folder';
  await asOrdinaryUser(async () => {
    const started = await failureOf(freezeConfig(config, 'refused'));
    expect(started).toBeInstanceOf(StorageError);
    expect((started as Error).message).toBe(`${join(runs, 'refused', 'config.json')}: ${permissions}`);
    const lines = await failureOf(openJsonLines(join(runs, 'refused', 'ledger.jsonl')));
    expect(lines).toBeInstanceOf(StorageError);
    expect((lines as Error).message).toBe(`${join(runs, 'refused', 'ledger.jsonl')}: ${permissions}`);
  });
  expect(await readdir(runs)).toEqual([]);
});

/** Permissions mean nothing to root, as whom containers run. */
async function asOrdinaryUser(work: () => Promise<void>): Promise<void> {
  const nobody = 65534;
  const { geteuid, seteuid } = process;
  if (geteuid?.() !== 0 || seteuid === undefined) return work();
  seteuid(nobody);
  try {
    await work();
  } finally {
    seteuid(0);
  }
}
