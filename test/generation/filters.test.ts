import { describe, expect, test } from 'vitest';
import { filterRawAnswer } from '../../src/generation/filters.ts';

describe('a raw answer is of no use', () => {
  test.each([
    ['The coordinates show it.', 'coordinates'],
    ['its x coordinate', 'coordinates'],
    ['inside the bounding box', 'coordinates'],
    ['Skip: nothing to ask', 'skip'],
    ['I would skip this one', 'skip'],
  ])('that says %j', (text, reason) => {
    expect(filterRawAnswer(text)).toMatchObject({ reason });
  });

  test('and the rejection quotes the words that it refers to', () => {
    expect(filterRawAnswer('One sees it by its coordinates here.')?.detail).toContain('its coordinates here');
  });
});

test('any other answer passes', () => {
  expect(filterRawAnswer('Question: Where is the cat [0.1, 0.2, 0.3, 0.4]?')).toBeUndefined();
});
