import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { damagedJson, hostileText } from '../../bench/fuzz/arbitraries.ts';
import { type FuzzLimits, fuzzTarget } from '../../bench/fuzz/target.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const limits = (more: Partial<FuzzLimits> = {}): FuzzLimits => ({
  seed: 7,
  runs: 2000,
  milliseconds: 60_000,
  onInput: () => undefined,
  ...more,
});

test('a defect is found, made small, and found again by the command that is printed', async () => {
  const target = fuzzTarget<string>('broken', async () => ({
    input: fc.string({ maxLength: 50 }),
    async take(text) {
      if (text.includes('b') && text.length > 1) throw new RangeError('out of range');
    },
  }));
  const { failure } = await target.check(await temporaryFolder(), limits());
  expect(failure?.problem).toMatch(/^RangeError: out of range at /);
  expect(JSON.parse(failure?.input ?? '')).toHaveLength(2);
  const [, seed, path] =
    /^npm run fuzz -- --only 'broken' --seed (\d+) --path ([\d:]+)$/.exec(failure?.command ?? '') ?? [];
  expect(Number(seed)).toBe(7);
  const again = await target.check(await temporaryFolder(), limits({ path }));
  expect(again).toMatchObject({ inputs: 1, failure: { input: failure?.input, command: failure?.command } });
});

test('a changed prototype is a defect', async () => {
  const all = Object.prototype as unknown as Record<string, unknown>;
  const target = fuzzTarget<string>('polluting', async () => ({
    input: hostileText,
    async take(key) {
      const found = ({} as Record<string, Record<string, unknown> | undefined>)[key];
      if (key === '__proto__' && found) found.polluted = true;
    },
  }));
  const { failure } = await target.check(await temporaryFolder(), limits());
  delete all.polluted;
  expect(failure).toMatchObject({ problem: expect.stringContaining('a prototype'), input: '"__proto__"' });
});

test('valid input is changed in one to four places, keys that all objects have included', () => {
  const example = { a: { b: [1, 2, { c: 'x' }] }, d: 'y' };
  const texts = fc.sample(damagedJson(example), { seed: 1, numRuns: 2000 }).map((value) => JSON.stringify(value) ?? '');
  expect(texts.some((text) => text.includes('"__proto__":'))).toBe(true);
  expect(new Set(texts).size).toBeGreaterThan(1000);
  expect(JSON.stringify(example)).toBe('{"a":{"b":[1,2,{"c":"x"}]},"d":"y"}');
});

test('the command says which targets there are, and takes one', async () => {
  const run = (...options: string[]) =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', 'bench/fuzz.ts', ...options]);
  const { stdout } = await run('--only', 'answer', '--runs', '30', '--seed', '3');
  expect(stdout).toMatch(/^seed 3, 1 targets\n✓ answer +30 inputs in /);
  expect(stdout).toContain('{"fuzz":{"seed":3,"targets":1,"inputs":30,"failed":[]}}');
  await expect(run('--only', 'nothing')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/There is no target nothing\. There are: input-dataEngine, /),
  });
});
