/** The error texts on docs/troubleshooting.md are those of the code, in alphabetical order, each with its remedy. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const page = await readFile('docs/troubleshooting.md', 'utf8');
const rows = [...page.matchAll(/^\| `([^`]+)` \| (.+) \| (.*) \|$/gm)].map(
  ([, words = '', reason = '', remedy = '']) => ({ words, reason, remedy }),
);

/** The program's own source text, without its tests. */
async function sources(): Promise<string> {
  const folders = ['activities', 'cli', 'demo', 'scripts', 'src', 'workers', 'workflows'];
  const texts: string[] = [];
  for (const folder of folders) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.(ts|mjs|py)$/.test(entry.name)) continue;
      texts.push(await readFile(join(entry.parentPath, entry.name), 'utf8'));
    }
  }
  return texts.join('\n');
}

test('each error is in the code, word for word', async () => {
  expect(rows.length).toBeGreaterThan(25);
  const code = await sources();
  const pieces = rows.flatMap(({ words }) => words.split('…').map((piece) => piece.trim())).filter((one) => one !== '');
  expect(pieces.filter((piece) => piece.length < 6)).toEqual([]);
  expect(pieces.filter((piece) => !code.includes(piece))).toEqual([]);
});

test('errors are found by their first words: the table is in their order, without doubles', () => {
  const words = rows.map((row) => row.words.toLowerCase().replaceAll(/[^a-z ]/g, ''));
  expect(words).toEqual(words.toSorted());
  expect(new Set(words).size).toBe(words.length);
});

test('each says why, and what to do', () => {
  expect(page.split('\n').filter((line) => line.startsWith('| `'))).toHaveLength(rows.length);
  expect(rows.filter(({ reason, remedy }) => reason.length < 10 || remedy.length < 10)).toEqual([]);
});
