import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { inShards, mapConcurrently } from '../../workflows/shards.ts';

describe('items worked on concurrently', () => {
  test('are all done, never more at a time than allowed, with their results in order', async () => {
    let running = 0;
    let highest = 0;
    const results = await mapConcurrently(3, [5, 1, 4, 2, 3], async (turns) => {
      running += 1;
      highest = Math.max(highest, running);
      for (let index = 0; index < turns; index += 1) await turn();
      running -= 1;
      return turns * 10;
    });
    expect(results).toEqual([50, 10, 40, 20, 30]);
    expect(highest).toBe(3);
  });

  test('end with the first error, and no further item is started', async () => {
    const started: number[] = [];
    const work = async (item: number) => {
      started.push(item);
      await turn();
      if (item === 1) throw new Error('broken');
    };
    await expect(mapConcurrently(2, [0, 1, 2, 3, 4], work)).rejects.toThrow('broken');
    await turn();
    expect(started).toEqual([0, 1, 2]);
  });

  test('that are under way when one fails end before the error is thrown', async () => {
    const ended: number[] = [];
    const work = async (item: number) => {
      if (item === 0) throw new Error('broken');
      for (let index = 0; index < 10; index += 1) await turn();
      ended.push(item);
    };
    await expect(mapConcurrently(3, [0, 1, 2, 3], work)).rejects.toThrow('broken');
    expect(ended).toEqual([1, 2]);
  });

  test('need no work when there are none', async () => {
    expect(await mapConcurrently(3, [], () => Promise.reject(new Error('not to be called')))).toEqual([]);
  });
});

test('a step in shards takes the time of its shards and of joining them', async () => {
  const done: string[] = [];
  const shard = async (name: string) => {
    done.push(name);
    return { seconds: 2 };
  };
  const join = async () => ({ seconds: 1, joined: done.length });
  expect(await inShards(10, ['a', 'b', 'c'], shard, join)).toEqual({ seconds: 7, joined: 3 });
});
