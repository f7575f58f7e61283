import { setTimeout as sleep } from 'node:timers/promises';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, onTestFinished, test, vi } from 'vitest';
import { withHeartbeat } from '../../activities/heartbeat.ts';

test('the newest progress is beaten, and the beat goes on without progress', async () => {
  const environment = new MockActivityEnvironment();
  const beats: unknown[] = [];
  environment.on('heartbeat', (details: unknown) => beats.push(details));
  const result = await environment.run(() =>
    withHeartbeat(2, async (onProgress) => {
      for (let step = 1; step <= 500; step += 1) onProgress({ step, steps: 500, loss: 1.5, checkpoint: '/c/500' });
      await sleep(2200);
      return 'done';
    }),
  );
  expect(result).toBe('done');
  expect(beats[0]).toEqual({ round: 2 });
  expect(beats.at(-1)).toEqual({ round: 2, step: 500, steps: 500, loss: 1.5, checkpoint: '/c/500' });
  expect(beats).toHaveLength(3);
});

test.each([
  ['forwards', 24 * 3_600_000],
  ['backwards', -24 * 3_600_000],
])('the beat keeps its rhythm when the clock is set %s', async (_, jump) => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const environment = new MockActivityEnvironment();
  const beats: number[] = [];
  environment.on('heartbeat', () => beats.push(performance.now()));
  await environment.run(() =>
    withHeartbeat(0, async () => {
      await sleep(500);
      vi.setSystemTime(Date.now() + jump);
      await sleep(2700);
    }),
  );
  expect(beats).toHaveLength(4);
  expect(Math.max(...beats.slice(1).map((at, index) => at - (beats[index] as number)))).toBeLessThan(2000);
});
