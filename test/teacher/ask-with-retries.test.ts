import { describe, expect, test } from 'vitest';
import { askWithRetries, type Retry } from '../../src/teacher/ask-with-retries.ts';
import { TeacherError } from '../../src/teacher/teacher-error.ts';

/** Fails with each of the errors in turn, then answers; the clock is the only fake. */
async function run(errors: unknown[], attempts = 5) {
  const waits: number[] = [];
  let asked = 0;
  const ask = async () => {
    const error = errors[asked];
    asked += 1;
    if (error) throw error;
    return 'answer';
  };
  const sleep = async (milliseconds: number) => void waits.push(milliseconds);
  const result = await askWithRetries(ask, { attempts, sleep }).catch((error: unknown) => error);
  return { result, waits, asked };
}
const busy = (retryAfterSeconds?: number) => new TeacherError('busy', { retryable: true, retryAfterSeconds });

describe('askWithRetries', () => {
  test('waits as long as the teacher says', async () => {
    expect(await run([busy(7), busy(0.2)])).toEqual({ result: 'answer', waits: [7000, 200], asked: 3 });
  });

  test('else waits twice as long each time', async () => {
    expect((await run([busy(), busy(), busy()])).waits).toEqual([1000, 2000, 4000]);
  });

  test('says before each wait what failed and when the next attempt is', async () => {
    const retries: Retry[] = [];
    let calls = 0;
    const ask = async () => {
      calls += 1;
      if (calls < 3) throw new TeacherError(`no answer ${calls}`, { retryable: true });
      return 'answer';
    };
    await askWithRetries(ask, { attempts: 5, sleep: async () => undefined, onRetry: (retry) => retries.push(retry) });
    expect(retries).toEqual([
      { problem: 'no answer 1', seconds: 1, attempt: 2 },
      { problem: 'no answer 2', seconds: 2, attempt: 3 },
    ]);
  });

  test('a stated wait of 0 uses up no tries at once', async () => {
    expect((await run([busy(0), busy(0), busy(0)])).waits).toEqual([1000, 2000, 4000]);
  });

  test('gives up after its attempts, with the last error', async () => {
    const last = busy();
    expect(await run([busy(), last, busy()], 2)).toMatchObject({ result: last, asked: 2 });
  });

  test('does not wait where waiting can not help', async () => {
    const refused = new TeacherError('refused', { retryable: false });
    expect(await run([refused])).toEqual({ result: refused, waits: [], asked: 1 });
    expect((await run([new Error('bug')])).asked).toBe(1);
  });

  test('stops waiting when it is aborted', async () => {
    const ask = async () => Promise.reject(busy(60));
    const aborted = askWithRetries(ask, { attempts: 2, signal: AbortSignal.timeout(20) });
    await expect(aborted).rejects.toThrow(/abort/i);
  });
});
