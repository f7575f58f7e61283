/** A run that an earlier version began goes on under this one; what can't go on says so before it takes a GPU. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRoundRecords } from '../../../activities/round-records.ts';
import { writeJson } from '../../../src/core/write-file.ts';
import { versionHistory } from '../../../src/datasets/versions.ts';
import { preflight } from '../../../src/round/preflight/preflight.ts';
import { report } from '../../../src/round/report/report.ts';
import { prune } from '../../../src/round/retention/prune.ts';
import type { StepContext } from '../../../src/round/step-context.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { playRound } from '../retention/finished-run.ts';
import { tinyContext } from '../tiny-run.ts';
import { storedVersions, unpackRun } from './stored-run.ts';

const versions = await storedVersions();

async function unpacked(version: string): Promise<StepContext> {
  const folder = await temporaryFolder();
  await unpackRun(version, folder);
  return tinyContext(join(folder, 'tiny.yaml'));
}

test('there is a run of the first version that upgrades count from', () => {
  expect(versions).toContain('0.1.0');
});

describe.each(versions)('a run of version %s', (version) => {
  test('goes on: the next round is made on what is there, and the report has all', async () => {
    const context = await unpacked(version);
    expect(await readRoundRecords(context.run)).toMatchObject([{ round: 0 }, { round: 1 }]);
    const { problems, notes } = await preflight(context);
    expect(problems).toEqual([]);
    // Steps of a finished round that are done by hand: what is paid is not paid again, and a GPU is taken only where notes say so.
    for (const round of [0, 1]) {
      const outcomes = await playRound(context, round);
      const [, sample, generate] = outcomes;
      if (round > 0) expect([sample, generate]).toMatchObject([{ reused: true }, { reused: true }]);
      const finetune = outcomes.at(-5);
      if (!notes.some((note) => note.includes('The trainer has changed'))) expect(finetune?.reused).toBe(true);
    }
    const next = await playRound(context, 2);
    expect(next.filter(({ reused }) => !reused).length).toBeGreaterThan(8);
    const history = await versionHistory(context.run.root);
    expect(history.map((entry) => entry.version.round)).toEqual([1, 2]);
    expect(history[1]?.version.parents).toEqual([history[0]?.version.id]);
    const html = await readFile((await report({ ...context, round: 2 })).file, 'utf8');
    expect(html).toContain('round 2 of 2 is done');
    expect((await prune(context, { dryRun: true })).rounds).toBe(3);
  });

  test('a record of a newer version is refused before a GPU is taken, with the file', async () => {
    const context = await unpacked(version);
    const file = join(context.run.root, 'round-0', 'finetune', 'manifest.json');
    const manifest = JSON.parse(await readFile(file, 'utf8'));
    await writeJson(file, { ...manifest, schemaVersion: manifest.schemaVersion + 1 });
    const { problems } = await preflight(context);
    expect(problems.map(({ error }) => error.message)).toEqual([
      expect.stringMatching(
        /round-0\/finetune\/manifest\.json: schemaVersion: is 2, and this version of the program supports 1: a newer one wrote it/,
      ),
    ]);
  });

  test('a finetune of another trainer is named, since it would be done anew', async () => {
    const context = await unpacked(version);
    const file = join(context.run.root, 'round-1', 'finetune', 'manifest.json');
    const manifest = JSON.parse(await readFile(file, 'utf8'));
    await writeJson(file, { ...manifest, inputs: { ...manifest.inputs, trainerVersion: '0' } });
    const { notes, problems } = await preflight(context);
    expect(problems).toEqual([]);
    expect(notes).toContainEqual(expect.stringContaining('The trainer has changed since rounds 1 were finetuned'));
  });
});
