/**
 * Does the work of all items, in order, at most so many at a time. The server lets a workflow wait for 2,000 activities,
 * and is the slower with each event, the more of them wait.
 *
 * @returns the results in the order of the items
 * @throws the first error; no further item is begun then
 */
export async function atMost<T, R>(most: number, items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  let failed = false;
  async function worker(): Promise<void> {
    while (next < items.length && !failed) {
      const index = next++;
      try {
        results[index] = await work(items[index] as T);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  return results;
}
