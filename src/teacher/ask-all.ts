import limitConcurrency from 'p-limit';

/**
 * Does the work for each item, so many at once. After a failure no more are begun; those under way come to their end
 * first, for what they were answered is paid for and kept.
 *
 * @throws what failed first
 */
export async function askAll<Item>(
  items: readonly Item[],
  concurrency: number,
  work: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  const limit = limitConcurrency(concurrency);
  const failures: unknown[] = [];
  const workUnlessFailed = async (item: Item, index: number) => {
    if (failures.length > 0) return;
    try {
      await work(item, index);
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(items.map((item, index) => limit(workUnlessFailed, item, index)));
  if (failures.length > 0) throw failures[0];
}
