import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { appendVersion, listVersions } from '../../datasets/versions.ts';
import { hashBytes } from '../../store/hash.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const facts = {
  countsByType: { image_scene: 2 },
  teacher: 'local',
  promptVersion: 'generate-v1',
  seed: 1,
  rejected: 3,
};

async function runWithRounds() {
  const runRoot = await temporaryFolder();
  const write = async (round: number, text: string) => {
    const name = `round-${round}/append/DataEngine_round${round}_data.json`;
    await mkdir(dirname(join(runRoot, name)), { recursive: true });
    await writeFile(join(runRoot, name), text);
    return name;
  };
  const append = async (round: number, text: string) =>
    appendVersion(runRoot, { round, files: [{ name: await write(round, text), samples: 2 }], ...facts });
  return { runRoot, append };
}

describe('appendVersion', () => {
  it('records files with hashes, counts and parents', async () => {
    const { runRoot, append } = await runWithRounds();
    const first = await append(1, 'one');
    const second = await append(2, 'two');
    expect(second).toEqual({
      appended: true,
      version: {
        schemaVersion: 1,
        id: expect.stringMatching(/^[0-9a-f]{64}$/),
        parents: [first.version.id],
        round: 2,
        files: [{ name: 'round-2/append/DataEngine_round2_data.json', sha256: hashBytes('two'), samples: 2 }],
        ...facts,
      },
    });
    expect(await listVersions(runRoot)).toEqual([first.version, second.version]);
    expect(first.version.parents).toEqual([]);
  });

  it('appends nothing twice', async () => {
    const { runRoot, append } = await runWithRounds();
    const first = await append(1, 'one');
    await append(2, 'two');
    expect(await append(1, 'one')).toEqual({ version: first.version, appended: false });
    expect(await readdir(join(runRoot, 'dataset-versions'))).toEqual(['round-1.json', 'round-2.json']);
  });

  it('replaces a round that was done anew, as long as no later one builds on it', async () => {
    const { runRoot, append } = await runWithRounds();
    await append(1, 'one');
    const again = await append(1, 'other');
    expect(await listVersions(runRoot)).toEqual([again.version]);
    await append(2, 'two');
    await expect(append(1, 'third')).rejects.toThrow(
      /round-1\.json: round 2 already builds on other data of this round/,
    );
  });
});

it('a version changed by hand is refused', async () => {
  const { runRoot, append } = await runWithRounds();
  await append(1, 'one');
  const file = join(runRoot, 'dataset-versions', 'round-1.json');
  await writeFile(file, (await readFile(file, 'utf8')).replace('"samples": 2', '"samples": 5'));
  await expect(listVersions(runRoot)).rejects.toThrow(`${file}: id: does not fit the content`);
});

it('a run without versions has none', async () => {
  expect(await listVersions(await temporaryFolder())).toEqual([]);
});
