/** `node --import tsx test/round/stored-runs/make.ts`: keeps a run of this version, if there is none yet. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeRoundRecord } from '../../../activities/round-records.ts';
import { roundSummary } from '../../../bench/fuzz/inputs.ts';
import { playRun } from '../retention/finished-run.ts';
import { storedVersions, storeRun } from './stored-run.ts';

const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
if ((await storedVersions()).includes(version)) {
  process.stdout.write(`${version} has its run: what a version wrote never changes\n`);
} else {
  const folder = await mkdtemp(join(tmpdir(), 'stored-run-'));
  try {
    const { run } = await playRun(folder, 1);
    for (const round of [0, 1]) await writeRoundRecord(run, { ...roundSummary, round } as never);
    await rm(join(folder, 'cache'), { recursive: true, force: true });
    process.stdout.write(`${await storeRun(version, folder)} files of a run of ${version}\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
