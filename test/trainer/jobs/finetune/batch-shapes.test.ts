import { expect, test } from 'vitest';
import { padToFewShapes } from '../../../../src/trainer/jobs/finetune/batch-shapes.ts';

const shape = (tokens: number, targets = 16, batch = 16) => ({ batch, tokens, targets });
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

test('a shape of few batches joins the next larger one, shapes of many stay', () => {
  const needed = [...times(200, shape(64)), shape(72, 32), ...times(100, shape(88, 32))];
  expect(padToFewShapes(needed)).toEqual([...times(200, shape(64)), shape(88, 32), ...times(100, shape(88, 32))]);
});

test('two shapes of which neither holds the other may become a third that holds both', () => {
  expect(padToFewShapes([...times(50, shape(72, 8)), shape(64, 16), ...times(50, shape(72, 8))])).toEqual(
    times(101, shape(72, 16)),
  );
});

test('every batch gets a shape that holds it, of its own number of sequences', () => {
  const needed = Array.from({ length: 300 }, (_, step) => shape(40 + ((step * 7) % 12) * 8, 8 + (step % 5) * 8, 4));
  needed.push(shape(200, 8, 1));
  const chosen = padToFewShapes(needed);
  for (const [step, { batch, tokens, targets }] of needed.entries()) {
    const padded = chosen[step] as (typeof chosen)[number];
    expect(padded.batch).toBe(batch);
    expect(padded.tokens).toBeGreaterThanOrEqual(tokens);
    expect(padded.targets).toBeGreaterThanOrEqual(targets);
  }
  const count = (shapes: readonly object[]) => new Set(shapes.map((each) => JSON.stringify(each))).size;
  expect(count(chosen)).toBeLessThan(count(needed) / 2);
});

test('no batch, no shape', () => {
  expect(padToFewShapes([])).toEqual([]);
});
