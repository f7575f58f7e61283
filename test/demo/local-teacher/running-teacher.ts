import { onTestFinished } from 'vitest';
import { localClient } from '../../../demo/local-teacher/provider.ts';
import { type LocalTeacher, startLocalTeacher } from '../../../demo/local-teacher/server.ts';
import type { ConnectionSettings } from '../../../src/teacher/provider.ts';
import type { SamplingSettings } from '../../../src/teacher/teacher.ts';

/** A local teacher for one test, over real HTTP, with the real client for it. */
export async function runningTeacher(options: Parameters<typeof startLocalTeacher>[0] = {}) {
  const teacher: LocalTeacher = await startLocalTeacher(options);
  onTestFinished(() => teacher.close());
  const settings = { ...teacherSettings, baseUrl: teacher.baseUrl };
  return { teacher, settings, client: localClient(settings, teacher.baseUrl) };
}

export const teacherSettings: ConnectionSettings & SamplingSettings = {
  model: 'gpt-4',
  apiKeyVariable: 'OPENAI_API_KEY',
  temperature: 0.7,
  topP: 0.9,
  maximumTokens: 800,
  requestTimeoutSeconds: 5,
};
