import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { withHeartbeat } from '../../activities/heartbeat.ts';
import { TeacherError } from '../../src/teacher/teacher-error.ts';
import { TrainerError } from '../../src/trainer/supervisor/trainer-error.ts';

test('heartbeats report the newest progress, and continue without progress', async () => {
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
  expect(beats.at(-1)).toEqual({
    ...{ round: 2, step: 500, steps: 500, loss: 1.5, checkpoint: '/c/500' },
    furthest: { step: 500, attempt: 1 },
  });
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

describe('attempts without progress', () => {
  const options = { maxAttemptsWithoutProgress: 3 };

  /** One attempt, with what the one before it left; its failure and what it leaves itself. */
  async function attemptAfter(
    left: unknown,
    attempt: number,
    progress: { step: number; phase?: string }[],
    error: Error = new Error('broken'),
  ) {
    const environment = new MockActivityEnvironment({ attempt, heartbeatDetails: left });
    const beats: unknown[] = [];
    environment.on('heartbeat', (details: unknown) => beats.push(details));
    const work = async (onProgress: (progress: { step: number; steps: number; phase?: string }) => void) => {
      for (const { step, phase } of progress) onProgress({ step, steps: 100, ...(phase !== undefined && { phase }) });
      throw error;
    };
    const failure = await environment.run(() => withHeartbeat(0, work, options)).catch((thrown: unknown) => thrown);
    return { failure, left: beats.at(-1) };
  }

  test('are counted from the one with the most progress, and the last one fails for good with its own error', async () => {
    const first = await attemptAfter(undefined, 1, [{ step: 20 }]);
    expect(first.failure).toMatchObject({ message: 'broken', nonRetryable: false });
    const second = await attemptAfter(first.left, 2, [{ step: 40 }]);
    const third = await attemptAfter(second.left, 3, [{ step: 40 }]);
    const fourth = await attemptAfter(third.left, 4, [{ step: 30 }]);
    expect(fourth.failure).toMatchObject({ message: 'broken', nonRetryable: false });
    expect(fourth.left).toMatchObject({ furthest: { step: 40, attempt: 2 } });
    const trainerError = new TrainerError({ kind: 'memory', retryable: true, message: 'out of memory' });
    const fifth = await attemptAfter(fourth.left, 5, [{ step: 40 }], trainerError);
    expect(fifth.failure).toMatchObject({
      nonRetryable: true,
      ...{ message: 'out of memory', type: 'Trainer:memory' },
    });
  }, 20_000);

  test('are counted from zero after every further step', async () => {
    const { failure } = await attemptAfter({ round: 0, furthest: { step: 40, attempt: 2 } }, 5, [{ step: 41 }]);
    expect(failure).toMatchObject({ message: 'broken', nonRetryable: false });
  });

  test('wait longer between retries, also counted from there, unless the error names a delay', async () => {
    const delayOf = async (attempt: number, step: number, error?: Error) =>
      (
        (await attemptAfter({ round: 0, furthest: { step: 40, attempt: 2 } }, attempt, [{ step }], error)).failure as {
          nextRetryDelay?: number;
        }
      ).nextRetryDelay;
    expect(await delayOf(4, 41)).toBe(1000);
    expect(await delayOf(4, 40)).toBe(4000);
    const busy = new TeacherError('429', { retryable: true, retryAfterSeconds: 30 });
    expect(await delayOf(4, 41, busy)).toBe(30_000);
    // Before anything was done the retry policy counts.
    expect((await attemptAfter(undefined, 2, [])).failure).toEqual(new Error('broken'));
  }, 20_000);

  test('work before the main work, such as loading weights, is not progress', async () => {
    const { failure } = await attemptAfter(undefined, 3, [{ step: 90, phase: 'load' }]);
    expect(failure).toMatchObject({ nonRetryable: true, message: 'broken' });
  });

  test('fail in the attempt after them when they could not report an error', async () => {
    const { failure, left } = await attemptAfter({ round: 0, furthest: { step: 40, attempt: 2 } }, 6, []);
    expect(failure).toMatchObject({
      nonRetryable: true,
      type: 'NoProgress',
      message: 'None of the last 3 attempts got further than step 40; the last one ended without reporting an error',
    });
    expect(left).toBeUndefined();
  });

  test('are counted anew after a reset of the activity, which counts attempts from one and keeps the details', async () => {
    const left = { round: 0, furthest: { step: 40, attempt: 7 } };
    const first = await attemptAfter(left, 1, [{ step: 30 }]);
    expect(first.failure).toMatchObject({ nonRetryable: false, nextRetryDelay: 2000 });
    expect(first.left).toMatchObject({ furthest: { step: 40, attempt: 0 } });
    const second = await attemptAfter(first.left, 2, [{ step: 40 }]);
    const third = await attemptAfter(second.left, 3, [{ step: 40 }]);
    expect(third.failure).toMatchObject({ message: 'broken', nonRetryable: true });
  }, 20_000);

  test('a step that is stopped from outside has not failed', async () => {
    const environment = new MockActivityEnvironment({ attempt: 3 });
    const stopped = environment.run(() => withHeartbeat(0, () => Context.current().cancelled, options));
    environment.cancel('WORKER_SHUTDOWN');
    await expect(stopped).rejects.toMatchObject({ name: 'CancelledFailure' });
  });
});
