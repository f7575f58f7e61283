import { expect, test } from 'vitest';
import { RowNumbers } from '../../src/datasets/row-numbers.ts';

test('the row of an id that is there already, over many thousand ids', () => {
  const rows = new RowNumbers();
  const ids = Array.from({ length: 20_000 }, (_, index) => `question ${index}`);
  expect(ids.every((id, index) => rows.add(id, index + 1) === undefined)).toBe(true);
  expect(rows.size).toBe(ids.length);
  expect(ids.map((id) => rows.add(id, 99_999))).toEqual(ids.map((_, index) => index + 1));
  expect(rows.size).toBe(ids.length);
  expect(rows.add('', 20_001)).toBeUndefined();
  expect(rows.add('', 20_002)).toBe(20_001);
});
