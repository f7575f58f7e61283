import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parseRequirements } from '../../../scripts/setup/requirements.mjs';

const read = async (name: string) => {
  const file = `src/trainer/torch/${name}.txt`;
  return parseRequirements(await readFile(file, 'utf8'), file);
};

test.each([
  ['requirements.lock', ['requirements']],
  ['requirements-deepspeed.lock', ['requirements', 'requirements-deepspeed']],
])('%s has every package with hashes, and what is wanted at its version', async (lock, wanted) => {
  const locked = await read(lock);
  expect(locked.length).toBeGreaterThan(50);
  for (const { name, hashes } of locked) expect(hashes.length, name).toBeGreaterThan(0);
  const versions = locked.map(({ name, version }) => `${name}==${version}`);
  for (const file of wanted) {
    for (const { name, version } of await read(file)) expect(versions).toContain(`${name}==${version}`);
  }
});

test('DeepSpeed’s environment has the versions of the trainer’s', async () => {
  const key = ({ name, version, marker }: { name: string; version: string; marker?: string }) =>
    `${name}==${version};${marker}`;
  const all = (await read('requirements-deepspeed.lock')).map(key);
  expect(all).toEqual(expect.arrayContaining((await read('requirements.lock')).map(key)));
});

test('a package that is not pinned is an error', () => {
  expect(() => parseRequirements('torch>=2\n', 'some.txt')).toThrow('some.txt: "torch>=2" pins no package');
});
