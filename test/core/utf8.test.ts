/** Bytes in another encoding are refused by their line, and characters in two pieces are not. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { utf8Pieces } from '../../src/core/utf8.ts';
import { tableRows } from '../../src/datasets/tables/index.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function* pieces(...all: Buffer[]) {
  yield* all;
}

async function textOf(...all: Buffer[]): Promise<string> {
  let text = '';
  for await (const piece of utf8Pieces(pieces(...all), 'q.csv')) text += piece;
  return text;
}

test('characters may lie in two pieces', async () => {
  const bytes = Buffer.from('\ufeffGröße,日本,🙂\n');
  for (let at = 0; at <= bytes.length; at += 1) {
    expect(await textOf(bytes.subarray(0, at), bytes.subarray(at))).toBe('\ufeffGröße,日本,🙂\n');
  }
});

test('the line of the first wrong byte is named, wherever pieces end', async () => {
  const bytes = Buffer.concat([Buffer.from('ü\nß\n'), Buffer.from('Größe\nü\n', 'latin1')]);
  for (let at = 0; at <= bytes.length; at += 1) {
    await expect(textOf(bytes.subarray(0, at), bytes.subarray(at))).rejects.toThrow('q.csv:3: is not UTF-8');
  }
  await expect(textOf(Buffer.from('a\nü').subarray(0, 3))).rejects.toThrow('q.csv:2: is not UTF-8');
});

test.each([
  ['q.csv', 'image,question\na.jpg,What?\nb.jpg,Größe?\n', 'q.csv:3: is not UTF-8. Save the file as UTF-8'],
  ['q.tsv', 'image\tquestion\na.jpg\tGröße?\n', 'q.tsv:2: is not UTF-8'],
  ['q.jsonl', '{"question":"What?"}\n{"question":"Größe?"}\n', 'q.jsonl:2: is not UTF-8'],
  ['q.json', '[{"question":"What?"},{"question":"Größe?"}]', 'q.json: [1]: is not UTF-8'],
])('%s in Latin-1 is refused', async (name, text, message) => {
  const file = join(await temporaryFolder(), name);
  await writeFile(file, text, 'latin1');
  const read = async () => {
    for await (const row of tableRows(file)) expect(row.values.size).toBeGreaterThan(0);
  };
  await expect(read()).rejects.toThrow(message);
});

test.each(['utf16le', 'utf16be'])('%s is refused by name', async (encoding) => {
  const file = join(await temporaryFolder(), 'q.csv');
  const bytes = Buffer.from('\ufeffimage,question\n', 'utf16le');
  await writeFile(file, encoding === 'utf16be' ? bytes.swap16() : bytes);
  await expect(tableRows(file).next()).rejects.toThrow('q.csv: is UTF-16. Save the file as UTF-8');
});
