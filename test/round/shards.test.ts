import fc from 'fast-check';
import { expect, test } from 'vitest';
import { itemsOfShard } from '../../src/round/shards.ts';

test('the shards in order are all items, and their sizes differ by one at most', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 20 }), (all, count) => {
      const shards = Array.from({ length: count }, (_, shard) => itemsOfShard(all, shard, count));
      expect(shards.flat()).toEqual(all);
      const sizes = shards.map((shard) => shard.length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});
