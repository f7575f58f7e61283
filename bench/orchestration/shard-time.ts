import { seededRandom } from '../../src/core/seeded-random.ts';

/** How long a simulated shard takes: 0.5 to 1.5 times the average, for shards differ. */
export function shardMilliseconds(shard: number, average: number): number {
  return average * (0.5 + seededRandom(`shard ${shard}`).uniform());
}
