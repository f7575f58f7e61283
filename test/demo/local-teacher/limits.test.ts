import { describe, expect, test } from 'vitest';
import { keepLimits } from '../../../demo/local-teacher/limits.ts';
import { runningTeacher } from './running-teacher.ts';

describe('limits', () => {
  test('admit a minute’s requests in any minute, and count what exceeds them', () => {
    let now = 0;
    const limits = keepLimits({ requestsPerMinute: 3 }, () => now);
    expect([1, 2, 3, 4].map(() => limits.admit(1).admitted)).toEqual([true, true, true, false]);
    now = 59_999;
    expect(limits.admit(1).admitted).toBe(false);
    now = 60_000;
    expect(limits.admit(1).admitted).toBe(true);
    expect(limits.counts()).toEqual({ violations: 2, highestUse: 1 });
  });

  test('count tokens too', () => {
    const limits = keepLimits({ tokensPerMinute: 100 }, () => 0);
    expect([limits.admit(60).admitted, limits.admit(60).admitted, limits.admit(40).admitted]).toEqual([
      true,
      false,
      true,
    ]);
  });

  test('may hold for shorter stretches, with a share of a minute’s', () => {
    let now = 0;
    const limits = keepLimits({ requestsPerMinute: 60, windowSeconds: 1 }, () => now);
    expect([limits.admit(1).admitted, limits.admit(1).admitted]).toEqual([true, false]);
    now = 1000;
    expect(limits.admit(1).admitted).toBe(true);
  });

  test('are reported in the headers', async () => {
    const { client, teacher } = await runningTeacher({ limits: { requestsPerMinute: 2, tokensPerMinute: 1000 } });
    const ask = () =>
      client.chat.completions
        .create({ model: 'gpt-4', max_tokens: 100, messages: [{ role: 'user', content: 'hello' }] })
        .withResponse();
    const { headers } = (await ask()).response;
    expect(headers.get('x-ratelimit-remaining-requests')).toBe('1');
    expect(headers.get('x-ratelimit-remaining-tokens')).toBe('895');
    expect(headers.get('x-ratelimit-reset-requests')).toMatch(/^\d+\.\d+s$/);
    await ask();
    await expect(ask()).rejects.toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
    expect(teacher.counts()).toMatchObject({ answered: 2, violations: 1 });
  });
});
