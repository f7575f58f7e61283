import { randomUUID } from 'node:crypto';
import type { OpenAI } from 'openai';
import type { Config } from '../configs/schema.ts';
import { appendToLedger } from '../generation/ledger.ts';
import { startLocalTeacher } from '../generation/local-teacher/server.ts';
import { costOf, readPrice } from '../generation/prices.ts';
import type { ChatMessage } from '../generation/prompt-template.ts';
import {
  askTeacher,
  createTeacherClient,
  type StructuredFormat,
  type TeacherAnswer,
  type TeacherSettings,
} from '../generation/teacher.ts';
import type { StepContext } from './step-context.ts';

/** Asks the teacher once; temperature and length are the config's unless they are given. @throws TeacherError */
export type AskTeacher = (
  messages: ChatMessage[],
  options: {
    signal?: AbortSignal;
    seed?: number;
    temperature?: number;
    maximumTokens?: number;
    format?: StructuredFormat | undefined;
  },
) => Promise<TeacherAnswer>;

/**
 * Gives the work a client of the teacher. The local teacher is started for it, unless the config says where one runs.
 *
 * @throws InputError when the key is missing
 */
export async function withTeacherClient<R>(
  { teacher, seed }: Pick<Config, 'teacher' | 'seed'>,
  work: (client: OpenAI, settings: TeacherSettings) => Promise<R>,
): Promise<R> {
  const server =
    teacher.provider === 'local' && teacher.baseUrl === undefined
      ? await startLocalTeacher({ mistakeRate: teacher.mistakeRate, seed })
      : undefined;
  try {
    const settings = { ...teacher, baseUrl: teacher.baseUrl ?? server?.baseUrl };
    return await work(createTeacherClient(settings), settings);
  } finally {
    await server?.close();
  }
}

/**
 * Gives the work a teacher to ask, and keeps the run's ledger of what that costs.
 *
 * @param purpose what it is asked for, as the ledger calls it
 * @throws InputError when the key is missing
 */
export async function withTeacher<R>(
  { config, run, round, signal }: StepContext,
  work: (ask: AskTeacher) => Promise<R>,
  purpose = 'questions',
): Promise<R> {
  const { teacher } = config;
  const price = await readPrice(teacher.prices, teacher.model, 'online');
  const spent = { calls: 0, failedCalls: 0, lostCalls: 0, promptTokens: 0, completionTokens: 0 };
  const source = `round-${round}/${purpose}/${randomUUID()}`;
  const enterSpent = () =>
    appendToLedger(run.root, {
      kind: 'spend',
      at: new Date().toISOString(),
      source,
      model: teacher.model,
      ...spent,
      cost: costOf(price, spent),
    });
  return withTeacherClient(config, (client, settings) =>
    work(async (messages, { temperature, maximumTokens, format, ...options }) => {
      spent.calls += 1;
      try {
        const answer = await askTeacher(
          client,
          messages,
          {
            ...settings,
            format,
            temperature: temperature ?? settings.temperature,
            maximumTokens: maximumTokens ?? settings.maximumTokens,
          },
          { signal, ...options },
        );
        spent.promptTokens += answer.usage.promptTokens;
        spent.completionTokens += answer.usage.completionTokens;
        return answer;
      } catch (error) {
        spent.failedCalls += 1;
        throw error;
      } finally {
        await enterSpent();
      }
    }),
  );
}

/** What an answer depends on, besides the question. */
export function teacherIdentity(teacher: Config['teacher']): Record<string, unknown> {
  const { provider, baseUrl, model, temperature, topP, maximumTokens, mistakeRate, answerFormat, attachPicture } =
    teacher;
  return { provider, baseUrl, model, temperature, topP, maximumTokens, mistakeRate, answerFormat, attachPicture };
}
