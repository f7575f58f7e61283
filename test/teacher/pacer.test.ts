import { expect, test } from 'vitest';
import { createPacer, type Rate } from '../../src/teacher/pacer.ts';

/** When each of some requests is sent, in seconds, by a clock that only the pacer's waits move. */
async function sendTimes(rate: Rate, requests: number, tokens = 1, start = 0, stalls: Record<number, number> = {}) {
  let now = start;
  const clock = {
    now: () => now,
    sleep: async (milliseconds: number) => {
      now += milliseconds;
    },
  };
  const pacer = createPacer(rate, clock);
  const times: number[] = [];
  for (let number = 0; number < requests; number += 1) {
    now += stalls[number] ?? 0;
    await pacer.turn(tokens, new AbortController().signal);
    times.push(now / 1000);
  }
  return times;
}

test('requests are as far apart as the rate says, the first too', async () => {
  expect(await sendTimes({ requestsPerMinute: 60 }, 3)).toEqual([1, 2, 3]);
});

test('tokens take time of their own, and the slower limit holds', async () => {
  expect(await sendTimes({ requestsPerMinute: 60, tokensPerMinute: 600 }, 2, 30)).toEqual([3, 6]);
  expect(await sendTimes({ requestsPerMinute: 60, tokensPerMinute: 600 }, 2, 5)).toEqual([1, 2]);
});

test('time that passed unused is made up for by a quarter of a second only', async () => {
  const times = await sendTimes({ requestsPerMinute: 600 }, 40, 1, 0, { 10: 30_000 });
  const inOneSecond = times.filter((time) => time >= 31 && time < 32).length;
  expect(inOneSecond).toBeLessThanOrEqual(10 + 3);
});

test('pacers that follow one another exceed no limit, however often one is killed', async () => {
  const times: number[] = [];
  let start = 0;
  for (let life = 0; life < 20; life += 1) {
    times.push(...(await sendTimes({ requestsPerMinute: 60 }, 3, 1, start)));
    start = (times.at(-1) as number) * 1000;
  }
  for (const time of times)
    expect(times.filter((other) => other >= time && other < time + 60).length).toBeLessThanOrEqual(60);
});

test('without limits nothing waits', async () => {
  expect(await sendTimes({}, 3)).toEqual([0, 0, 0]);
});
