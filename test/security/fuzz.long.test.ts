/** A minute of what `npm run fuzz` does, with always the same seed: whatever is sent is taken or refused as it should be. */
import { execFile } from 'node:child_process';
import { beforeAll, expect, test } from 'vitest';
import { fuzzTargets } from '../../bench/fuzz/targets.ts';

let code: unknown;
let output = '';

beforeAll(async () => {
  const command = ['--import', 'tsx', 'bench/fuzz.ts', '--minutes', '1', '--seed', '1'];
  await new Promise<void>((resolve) => {
    execFile(process.execPath, command, { maxBuffer: 50e6 }, (error, stdout, stderr) => {
      code = error?.code ?? 0;
      output = stdout + stderr;
      resolve();
    });
  });
});

test.each(fuzzTargets.map(({ name }) => name))('%s', (name) => {
  const lines = output.split('\n');
  const start = lines.findIndex((line) => line.split(/\s+/)[1] === name);
  expect(lines.slice(start, start + 4).join('\n'), output.slice(-2000)).toMatch(/^✓ \S+ +[1-9]\d* inputs /);
});

test('its exit code says whether all held', () => {
  expect(output).toMatch(/"failed":\[\]/);
  expect(code).toBe(0);
});
