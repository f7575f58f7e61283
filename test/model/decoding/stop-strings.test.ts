import { expect, test } from 'vitest';
import { textBeforeStop } from '../../../src/model/decoding/generate.ts';

test.each([
  ['a red bus###Human', ['###'], 'a red bus'],
  ['a red bus##', ['###'], undefined],
  ['one\nUSER: two###', ['###', '\nUSER'], 'one'],
  ['###', ['###'], ''],
  ['text', [], undefined],
])('%j with the stop strings %j', (text, stopStrings, expected) => {
  expect(textBeforeStop(text, stopStrings)).toBe(expected);
});
