import fc from 'fast-check';
import { expect, test } from 'vitest';
import { itemsOfShard } from '../../src/round/shards.ts';

test('the parts one after another are the whole, and none has more than one item more than another', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 20 }), (all, count) => {
      const parts = Array.from({ length: count }, (_, part) => itemsOfShard(all, part, count));
      expect(parts.flat()).toEqual(all);
      const sizes = parts.map((part) => part.length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});
