import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hashBytes } from '../../src/core/hash.ts';
import { compareVersions } from '../../src/datasets/compare-versions.ts';
import type { EngineSample } from '../../src/datasets/engine-data.ts';
import { checkOutVersion } from '../../src/datasets/export-version.ts';
import { findVersion, versionHistory } from '../../src/datasets/versions.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { engineSample, versionedRun } from './versioned-run.ts';

describe('appendVersion', () => {
  it('records files with hashes, counts, cost and parents', async () => {
    const { runRoot, append, facts } = await versionedRun();
    const first = await append(1, [engineSample(1)]);
    const second = await append(2, [engineSample(2), engineSample(3)]);
    expect(second).toEqual({
      appended: true,
      version: {
        schemaVersion: 2,
        id: expect.stringMatching(/^[0-9a-f]{64}$/),
        parents: [first.version.id],
        round: 2,
        files: [
          {
            name: 'DataEngine_round2_data.json',
            sha256: hashBytes(JSON.stringify([engineSample(2), engineSample(3)])),
            samples: 2,
          },
        ],
        ...facts,
        countsByType: { image_scene: 2 },
      },
    });
    expect(first.version.parents).toEqual([]);
    expect((await versionHistory(runRoot)).map(({ version, current }) => [version.id, current])).toEqual([
      [first.version.id, true],
      [second.version.id, true],
    ]);
  });

  it('appends nothing twice', async () => {
    const { runRoot, append } = await versionedRun();
    const first = await append(1, [engineSample(1)]);
    await append(2, [engineSample(2)]);
    expect(await append(1, [engineSample(1)])).toEqual({ version: first.version, appended: false });
    expect(await versionHistory(runRoot)).toHaveLength(2);
  });

  it('keeps the data of a round that was done anew', async () => {
    const { runRoot, append } = await versionedRun();
    const first = await append(1, [engineSample(1)]);
    const again = await append(1, [engineSample(4)]);
    const second = await append(2, [engineSample(2)]);
    expect(second.version.parents).toEqual([again.version.id]);
    expect((await versionHistory(runRoot)).map(({ current }) => current)).toEqual([false, true, true]);
    const output = join(runRoot, 'out');
    await checkOutVersion(runRoot, first.version, output);
    expect(JSON.parse(await readFile(join(output, 'DataEngine_round1_data.json'), 'utf8'))).toEqual([engineSample(1)]);
  });

  it('makes the same ids of the same data in another run', async () => {
    const ids = await Promise.all(
      [1, 2].map(async () => (await (await versionedRun()).append(1, [engineSample(1)])).version.id),
    );
    expect(ids[0]).toBe(ids[1]);
  });
});

describe('findVersion', () => {
  it('finds by the beginning of an id, by round, and the latest', async () => {
    const { runRoot, append } = await versionedRun();
    const replaced = await append(1, [engineSample(1)]);
    const first = await append(1, [engineSample(4)]);
    const second = await append(2, [engineSample(2)]);
    const find = async (name: string) => (await findVersion(runRoot, name)).id;
    expect(await find(replaced.version.id.slice(0, 10))).toBe(replaced.version.id);
    expect(await find('round-1')).toBe(first.version.id);
    expect(await find('latest')).toBe(second.version.id);
    await expect(find('round-3')).rejects.toThrow(/round-3: is not a version of this run/);
    await expect(find('ffffffffffff')).rejects.toThrow(/data log/);
  });
});

describe('compareVersions', () => {
  it('reports what was added and removed, whatever file it is in', async () => {
    const { runRoot, append } = await versionedRun();
    const before = await append(1, [engineSample(1), engineSample(2)]);
    const again = await append(1, [engineSample(2)]);
    const after = await append(2, [engineSample(3, { question_type: 'image_topic' })]);
    const difference = await compareVersions(runRoot, before.version, after.version);
    const ids = (samples: EngineSample[]) => samples.map(({ image_id }) => image_id);
    expect([difference.kept, ids(difference.added), ids(difference.removed)]).toEqual([1, [3], [1]]);
    expect(difference.addedByType).toEqual({ image_topic: 1 });
    expect((await compareVersions(runRoot, again.version, again.version)).kept).toBe(1);
  });
});

describe('checkOutVersion', () => {
  it('writes the files of the version and of those it adds to, and their manifests', async () => {
    const { runRoot, append } = await versionedRun();
    const first = await append(1, [engineSample(1)]);
    const second = await append(2, [engineSample(2)]);
    const output = join(runRoot, 'out');
    await checkOutVersion(runRoot, second.version, output);
    expect((await readdir(output)).sort()).toEqual([
      'DataEngine_round1_data.json',
      'DataEngine_round2_data.json',
      'versions.json',
    ]);
    expect(JSON.parse(await readFile(join(output, 'versions.json'), 'utf8'))).toEqual([first.version, second.version]);
    await expect(checkOutVersion(runRoot, second.version, output)).rejects.toThrow(/is not empty/);
  });

  it('refuses a history that was changed, and leaves nothing', async () => {
    const { runRoot, append } = await versionedRun();
    const { version } = await append(1, [engineSample(1)]);
    const object = join(runRoot, 'dataset-versions', 'objects', String(version.files[0]?.sha256));
    await writeFile(object, '[]');
    await expect(checkOutVersion(runRoot, version, join(runRoot, 'out'))).rejects.toThrow(
      `${object}: this file of the history`,
    );
    expect(await readdir(runRoot)).not.toContain('out');
  });
});

it('a version changed by hand is refused', async () => {
  const { runRoot, append } = await versionedRun();
  const { version } = await append(1, [engineSample(1)]);
  const file = join(runRoot, 'dataset-versions', `${version.id}.json`);
  await writeFile(file, (await readFile(file, 'utf8')).replace('"samples": 1', '"samples": 5'));
  await expect(versionHistory(runRoot)).rejects.toThrow(`${file}: id: does not match the content`);
});

it('a run without versions has none', async () => {
  expect(await versionHistory(await temporaryFolder())).toEqual([]);
});

it('a killed append leaves a history that can be read and continued', async () => {
  const { runRoot, append } = await versionedRun();
  await append(1, [engineSample(1)]);
  const log = join(runRoot, 'dataset-versions', 'log.jsonl');
  await writeFile(log, `${await readFile(log, 'utf8')}{"id": "ab`);
  expect(await versionHistory(runRoot)).toHaveLength(1);
  await append(2, [engineSample(2)]);
  expect(await versionHistory(runRoot)).toHaveLength(2);
});
