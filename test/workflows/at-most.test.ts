import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { atMost } from '../../workflows/at-most.ts';

test('all items are done, never more at a time than allowed, results in order', async () => {
  let running = 0;
  let highest = 0;
  const results = await atMost(3, [5, 1, 4, 2, 3], async (turns) => {
    running += 1;
    highest = Math.max(highest, running);
    for (let index = 0; index < turns; index += 1) await turn();
    running -= 1;
    return turns * 10;
  });
  expect(results).toEqual([50, 10, 40, 20, 30]);
  expect(highest).toBe(3);
});

test('an error ends it, and what is not begun stays so', async () => {
  const begun: number[] = [];
  const work = async (item: number) => {
    begun.push(item);
    await turn();
    if (item === 1) throw new Error('broken');
  };
  await expect(atMost(2, [0, 1, 2, 3, 4], work)).rejects.toThrow('broken');
  await turn();
  expect(begun).toEqual([0, 1, 2]);
});

test('no items, no work', async () => {
  expect(await atMost(3, [], () => Promise.reject(new Error('not to be called')))).toEqual([]);
});
