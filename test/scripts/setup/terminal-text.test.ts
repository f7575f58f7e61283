import { expect, test } from 'vitest';
import { fitted, wrapped } from '../../../scripts/setup/terminal-text.mjs';

const terminal = (columns: number) => ({ isTTY: true, columns });

test('a sentence breaks between words, its continuation indented, on a terminal alone', () => {
  expect(fitted('config: seed: must be a number. Write one\n  a note of a few words more', terminal(24))).toBe(
    'config: seed: must be a\n  number. Write one\n  a note of a few words\n    more',
  );
  const sentence = 'config: seed: must be a number. Write one';
  expect(fitted(sentence, {})).toBe(sentence);
  expect(fitted(sentence, { columns: 24 })).toBe(sentence);
});

test('a line of a table stays whole, and colors take no room', () => {
  const row = '│ a cell of several words │ and another one │';
  const colored = '\u001b[90m┌────────────────────────────────┐\u001b[39m';
  expect(fitted(`${row}\n${colored}`, terminal(24))).toBe(`${row}\n${colored}`);
  const short = '\u001b[33mtwo words\u001b[39m and two more';
  expect(fitted(short, terminal(24))).toBe(short);
});

test('what follows the first line goes below a column, and a word that is longer stays whole', () => {
  expect(wrapped('ok  Python  3.11 with pip, of /usr/bin/python3', 24, 12)).toBe(
    'ok  Python  3.11 with\n            pip, of\n            /usr/bin/python3',
  );
});
