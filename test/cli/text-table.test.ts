/** Tables and sentences within the columns of a terminal. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { say } from '../../cli/say.ts';
import { textTable } from '../../cli/text-table.ts';

const problem = {
  item: '/data/sets/photos/dataengine-split/validation.jsonl:12',
  problem: 'images/a-very-long-name-of-an-image-that-nobody-would-choose.jpg: no such file or directory',
  remedy: 'Put it there, or give --skip-invalid to leave such records out',
};
const head = ['item', 'problem', 'what to do'];
const table = (columns?: number) => textTable(head, [Object.values(problem)], { color: false, columns });

/** The texts of a row's columns, joined again. */
const texts = (shown: string, separator: string) =>
  shown
    .split('\n')
    .slice(3, -1)
    .map((line) => line.split('│').slice(1, -1))
    .reduce<string[]>((whole, cells) => cells.map((cell, at) => `${whole[at] ?? ''}${separator}${cell.trim()}`), [])
    .map((text) => text.trim());

test.each([60, 80, 120])('a table is at most %i columns wide, and no character of its texts is lost', (columns) => {
  const shown = table(columns);
  expect(Math.max(...shown.split('\n').map((line) => line.length))).toBeLessThanOrEqual(columns);
  const without = (text: string) => text.replaceAll(' ', '');
  expect(texts(shown, '').map(without)).toEqual(Object.values(problem).map(without));
});

test('its texts break between words, and a path that is longer behind a slash', () => {
  const [item, , remedy] = texts(table(80), '\n').map((text) => text.split('\n').filter((line) => line !== ''));
  for (const line of item?.slice(0, -1) ?? []) expect(line).toMatch(/\/$/);
  expect(remedy?.join(' ')).toBe(problem.remedy);
});

test('without a terminal it is as wide as its texts', () => {
  expect(table()).toContain(`│ ${Object.values(problem).join(' │ ')} │`);
});

test('numbers are never broken, and a table of numbers alone stays as it is', () => {
  const row = ['a type of questions', ...Array.from({ length: 9 }, (_, at) => 12345678 + at)];
  const shown = textTable(
    row.map(() => 'n'),
    [row],
    { color: false, columns: 60, textColumns: 1 },
  );
  for (const value of row.slice(1)) expect(shown).toContain(String(value));
});

test('a word that is longer than the terminal stays whole: a path is copied', () => {
  const path = `/data/${'folder/'.repeat(8)}file.json`;
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 40 });
  say(`${path}: no such file. Check the path`, stream);
  const [first] = String(stream.read()).split('\n');
  expect(first).toBe(`${path}:`);
});
