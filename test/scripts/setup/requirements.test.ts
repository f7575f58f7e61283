import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parseRequirements } from '../../../scripts/setup/requirements.mjs';

const read = async (file: string) => parseRequirements(await readFile(file, 'utf8'), file);
const python = 'scripts/setup/requirements';
const torch = 'src/trainer/torch/requirements';

test.each([
  [python, [python]],
  [torch, [torch]],
  [`${torch}-deepspeed`, [torch, `${torch}-deepspeed`]],
])('%s.lock.txt has every package with hashes, and what is wanted at its version', async (name, wanted) => {
  const locked = await read(`${name}.lock.txt`);
  expect(locked.length).toBeGreaterThan(50);
  for (const { name, hashes } of locked) expect(hashes.length, name).toBeGreaterThan(0);
  const versions = locked.map(({ name, version }) => `${name}==${version}`);
  for (const file of wanted) {
    for (const { name, version } of await read(`${file}.txt`)) expect(versions).toContain(`${name}==${version}`);
  }
  // Where packages come from is the choice of the machine: an index in a lock would win over it.
  expect(await readFile(`${name}.lock.txt`, 'utf8')).not.toMatch(
    /:\/\/|^-|--(?!hash=sha256:[0-9a-f]{64}( |$)|universal|generate-hashes|python-version)/m,
  );
});

test('DeepSpeed’s environment has the versions of the trainer’s', async () => {
  const key = ({ name, version, marker }: { name: string; version: string; marker?: string }) =>
    `${name}==${version};${marker}`;
  const all = (await read(`${torch}-deepspeed.lock.txt`)).map(key);
  expect(all).toEqual(expect.arrayContaining((await read(`${torch}.lock.txt`)).map(key)));
});

test('a package that is not pinned is an error', () => {
  expect(() => parseRequirements('torch>=2\n', 'some.txt')).toThrow('some.txt: "torch>=2" pins no package');
});
