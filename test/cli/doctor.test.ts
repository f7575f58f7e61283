import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { examineMachine, formatFindings } from '../../cli/doctor.ts';

test('everything is installed on the machine that runs the tests', async () => {
  const findings = await examineMachine();
  expect(findings.map(({ name, good }) => ({ name, good }))).toEqual(
    ['Node', 'TensorFlow', 'GPU', 'Temporal CLI', 'Disk'].map((name) => ({ name, good: true })),
  );
  const text = Object.fromEntries(findings.map((finding) => [finding.name, finding.text]));
  expect(text.TensorFlow).toMatch(/^2\.\d+\.\d+, a matrix product was computed$/);
  expect(text['Temporal CLI']).toContain('temporal version');
});

test('a bad finding differs from a good one without colors', () => {
  const lines = formatFindings([
    { name: 'Disk', good: false, text: '1.0 GB free: free at least 5 GB' },
    { name: 'Temporal CLI', good: true, text: '1.9.1' },
  ]);
  const [bad, good] = stripVTControlCharacters(lines).split('\n');
  expect(bad).toBe('bad Disk          1.0 GB free: free at least 5 GB');
  expect(good).toBe('ok  Temporal CLI  1.9.1');
});
