import { setTimeout as sleep } from 'node:timers/promises';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
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
