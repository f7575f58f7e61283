import { onTestFinished } from 'vitest';
import { type LocalTeacher, startLocalTeacher } from '../../../demo/local-teacher/server.ts';
import { createTeacherClient, type TeacherSettings } from '../../../src/teacher/teacher.ts';

/** A local teacher for one test, over real HTTP, with the real client for it. */
export async function runningTeacher(options: Parameters<typeof startLocalTeacher>[0] = {}) {
  const teacher: LocalTeacher = await startLocalTeacher(options);
  onTestFinished(() => teacher.close());
  const settings: TeacherSettings = { ...teacherSettings, baseUrl: teacher.baseUrl };
  return { teacher, settings, client: createTeacherClient(settings) };
}

export const teacherSettings: TeacherSettings = {
  provider: 'local',
  model: 'gpt-4',
  apiKeyVariable: 'OPENAI_API_KEY',
  temperature: 0.7,
  topP: 0.9,
  maximumTokens: 800,
  requestTimeoutSeconds: 5,
};
