import { expect, it } from 'vitest';
import { budget } from '../../src/core/budget.ts';

/** Work of a cost that runs until the test ends it. */
function heldWork(spend: ReturnType<typeof budget>, started: string[]) {
  const ends = new Map<string, () => void>();
  const start = (name: string, cost: number) =>
    spend(cost, () => {
      started.push(name);
      return new Promise<void>((resolve) => ends.set(name, resolve));
    });
  return { start, end: async (name: string) => ends.get(name)?.() };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

it('starts work in its order, as soon as its cost fits', async () => {
  const started: string[] = [];
  const { start, end } = heldWork(budget(10), started);
  const all = [start('a', 6), start('b', 3), start('c', 8), start('d', 1)];
  await settled();
  expect(started).toEqual(['a', 'b']);
  await end('a');
  await settled();
  // d would fit, and must not overtake c for ever.
  expect(started).toEqual(['a', 'b']);
  await end('b');
  await settled();
  expect(started).toEqual(['a', 'b', 'c', 'd']);
  await end('c');
  await end('d');
  await Promise.all(all);
});

it('lets work that costs more than all there is run alone, and gives back what failed work held', async () => {
  const spend = budget(10);
  await expect(spend(1000, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(await spend(10, () => 'next')).toBe('next');
});
