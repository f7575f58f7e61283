/**
 * A step split into shards that run on many workers at once.
 */

/** Runs all shards, then joins their results. The seconds are those of all together. */
export async function inShards<Shard, R extends { seconds: number }>(
  maxConcurrent: number,
  shards: readonly Shard[],
  work: (shard: Shard) => Promise<{ seconds: number }>,
  join: () => Promise<R>,
): Promise<R> {
  const done = await mapConcurrently(maxConcurrent, shards, work);
  const joined = await join();
  return { ...joined, seconds: joined.seconds + done.reduce((sum, shard) => sum + shard.seconds, 0) };
}

/**
 * Does the work of all items, in order, on a limited number at a time: a workflow may have 2,000 pending activities, and
 * the server gets slower with each of them.
 *
 * @returns the results in the order of the items
 * @throws the first error. No further item is started then, and those under way have ended: who tries again would otherwise
 *   have two workers do the same one
 */
export async function mapConcurrently<T, R>(
  maxConcurrent: number,
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const errors: unknown[] = [];
  let next = 0;
  async function workThrough(): Promise<void> {
    while (next < items.length && errors.length === 0) {
      const index = next++;
      try {
        results[index] = await work(items[index] as T);
      } catch (error) {
        errors.push(error);
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(maxConcurrent, items.length) }, workThrough));
  if (errors.length > 0) throw errors[0];
  return results;
}
