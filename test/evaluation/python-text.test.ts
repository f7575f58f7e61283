/** What Python's `ast.literal_eval` makes of the same texts. */
import { expect, test } from 'vitest';
import { readPythonList } from '../../src/evaluation/python-text.ts';

test.each([
  ['[]', []],
  ["['a']", ['a']],
  [`['a', "it's", 'say "x"']`, ['a', "it's", 'say "x"']],
  [String.raw`['it\'s', 'a\\b', 'a\nb', '\x41\u00e9\U0001F600']`, ["it's", 'a\\b', 'a\nb', 'Aé😀']],
  [' [ 1 , -2.5 , 3e4, None, True ] ', ['1', '-2.5', '3e4', 'None', 'True']],
  ["['a',]", ['a']],
  ["['[b]', 'c, d']", ['[b]', 'c, d']],
])('%s is a list', (text, items) => {
  expect(readPythonList(text)).toEqual(items);
});

test.each(['', 'a', "'a'", "['a'", "'a']", "['a' 'b']", "['a',, 'b']", "[['a']]", "['a'] x", '[a]', "['a'][", '[,]'])(
  '%s is none',
  (text) => {
    expect(readPythonList(text)).toBeUndefined();
  },
);
