import type { Config } from '../configs/schema.ts';
import { startLocalTeacher } from '../generation/local-teacher/server.ts';
import type { ChatMessage } from '../generation/prompt-template.ts';
import { askTeacher, createTeacherClient, type TeacherAnswer } from '../generation/teacher.ts';
import type { StepContext } from './step-context.ts';

/** Asks the teacher once. @throws TeacherError */
export type AskTeacher = (
  messages: ChatMessage[],
  options: { signal?: AbortSignal; seed?: number },
) => Promise<TeacherAnswer>;

/**
 * Gives the work a teacher to ask. The local teacher is started for it, unless the config says where one runs.
 *
 * @throws InputError when the key is missing
 */
export async function withTeacher<R>(
  { config, signal }: StepContext,
  work: (ask: AskTeacher) => Promise<R>,
): Promise<R> {
  const { teacher, seed } = config;
  const server =
    teacher.provider === 'local' && teacher.baseUrl === undefined
      ? await startLocalTeacher({ mistakeRate: teacher.mistakeRate, seed })
      : undefined;
  try {
    const settings = { ...teacher, baseUrl: teacher.baseUrl ?? server?.baseUrl };
    const client = createTeacherClient(settings);
    return await work((messages, options) => askTeacher(client, messages, settings, { signal, ...options }));
  } finally {
    await server?.close();
  }
}

/** What an answer depends on, besides the question. */
export function teacherIdentity({
  provider,
  baseUrl,
  model,
  temperature,
  topP,
  maximumTokens,
  mistakeRate,
}: Config['teacher']): Record<string, unknown> {
  return { provider, baseUrl, model, temperature, topP, maximumTokens, mistakeRate };
}
