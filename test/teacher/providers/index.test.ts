import { expect, it } from 'vitest';
import { localClient } from '../../../demo/local-teacher/provider.ts';
import { configSchema } from '../../../src/config/schema.ts';
import type { TeacherProvider, TeacherSettings } from '../../../src/teacher/provider.ts';
import { findTeacher } from '../../../src/teacher/providers/index.ts';

const settingsOf = (teacher: object): TeacherSettings => configSchema.shape.teacher.parse(teacher);

const slow: TeacherProvider = {
  modes: ['online'],
  isPaid: true,
  answersAnyPrompt: true,
  limits: { requestsPerMinute: 60, tokensPerMinute: 6000 },
  connect: async (settings, work) => work(localClient(settings, 'http://127.0.0.1:9/v1')),
};

it.each(['openai', 'azure'])('%s is built in, online and in batches', (provider) => {
  for (const mode of ['online', 'batch']) {
    expect(findTeacher(settingsOf({ provider, mode }), {}).provider.isPaid).toBe(true);
  }
});

it('finds a provider that the program adds', () => {
  expect(findTeacher(settingsOf({ provider: 'slow' }), { slow }).provider).toBe(slow);
});

it('refuses a provider that is not there, and names those that are', () => {
  expect(() => findTeacher(settingsOf({ provider: 'opnai' }), { slow })).toThrow(
    /teacher\.provider: there is no provider opnai\. Known are azure, openai, slow/,
  );
  expect(() => findTeacher(settingsOf({ provider: 'constructor' }), {})).toThrow(/no provider constructor/);
});

it('refuses a mode that the provider does not have', () => {
  expect(() => findTeacher(settingsOf({ provider: 'slow', mode: 'batch' }), { slow })).toThrow(
    /teacher\.mode: the provider slow has no mode batch/,
  );
});

it("takes the provider's limits where the config sets none", () => {
  const limits = { requestsPerMinute: 20 };
  expect(findTeacher(settingsOf({ provider: 'slow', limits }), { slow }).settings.limits).toEqual({
    requestsPerMinute: 20,
    tokensPerMinute: 6000,
  });
});
