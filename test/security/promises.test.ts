/** SECURITY.md names the test of each promise. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

test('every test that SECURITY.md names is there, and every promise names one', async () => {
  const page = await readFile('SECURITY.md', 'utf8');
  const [, promised = ''] = /## What is promised\n([\s\S]*?)\n## /.exec(page) ?? [];
  const rows = promised.split('\n').filter((line) => line.startsWith('| ') && !/^\| (promise|---)/.test(line));
  expect(rows.length).toBeGreaterThan(10);
  for (const row of rows) {
    const files = [...row.matchAll(/`(test\/[^`]+)`/g)].map(([, file]) => file as string);
    expect(files, row).not.toEqual([]);
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  }
});
