/**
 * Bounds what is under way at once, such as memory: work starts in the order it came, as soon as its cost fits. Work that
 * costs more than all there is runs alone. Work must not start other work of the same budget, for which it might wait
 * forever.
 */
export function budget(capacity: number): <R>(cost: number, work: () => R | Promise<R>) => Promise<R> {
  let free = capacity;
  const waiting: { needed: number; start: () => void }[] = [];
  return async (cost, work) => {
    const needed = Math.min(cost, capacity);
    if (waiting.length > 0 || needed > free) {
      await new Promise<void>((start) => waiting.push({ needed, start }));
    } else {
      free -= needed;
    }
    try {
      return await work();
    } finally {
      free += needed;
      for (let next = waiting[0]; next !== undefined && next.needed <= free; next = waiting[0]) {
        waiting.shift();
        free -= next.needed;
        next.start();
      }
    }
  };
}
