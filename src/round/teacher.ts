import { randomUUID } from 'node:crypto';
import type { OpenAI } from 'openai';
import { startLocalTeacher } from '../../demo/local-teacher/server.ts';
import type { Config } from '../config/schema.ts';
import { countPromptTokens } from '../teacher/count-tokens.ts';
import { readPrice } from '../teacher/prices.ts';
import type { ChatMessage } from '../teacher/prompt-template.ts';
import { openSpending } from '../teacher/spending.ts';
import {
  askTeacher,
  createTeacherClient,
  type StructuredFormat,
  type TeacherAnswer,
  type TeacherSettings,
} from '../teacher/teacher.ts';
import { TeacherError } from '../teacher/teacher-error.ts';
import { refuseUnknownPrice } from './refuse-unknown-price.ts';
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
 * Gives the work a teacher to ask, and keeps the run's ledger of what that costs. With a budget, a call is made only when
 * its longest answer still fits.
 *
 * @param purpose what it is asked for, as the ledger calls it
 * @throws InputError when the key or the price is missing; asking: OutOfBudget
 */
export async function withTeacher<R>(
  { config, run, round, signal }: Pick<StepContext, 'config' | 'run' | 'round' | 'signal'>,
  work: (ask: AskTeacher) => Promise<R>,
  purpose = 'questions',
): Promise<R> {
  const { teacher } = config;
  await refuseUnknownPrice(config);
  const spending = openSpending({
    runDirectory: run.root,
    source: `round-${round}/${purpose}/${randomUUID()}`,
    model: teacher.model,
    price: await readPrice(teacher.prices, teacher.model, 'online'),
    limit: teacher.budget?.limit,
  });
  return withTeacherClient(config, (client, settings) =>
    work(async (messages, { temperature, maximumTokens, format, ...options }) => {
      const asked = {
        ...settings,
        format,
        temperature: temperature ?? settings.temperature,
        maximumTokens: maximumTokens ?? settings.maximumTokens,
      };
      const most = { promptTokens: countPromptTokens(messages), completionTokens: asked.maximumTokens };
      const reservation = await spending.reserve(most);
      let answer: TeacherAnswer;
      try {
        answer = await askTeacher(client, messages, asked, { signal, ...options });
      } catch (error) {
        const isKnown = error instanceof TeacherError && !error.outcomeUnknown;
        await (isKnown ? reservation.failed() : reservation.lost());
        throw error;
      }
      await reservation.answered(answer.usage);
      return answer;
    }),
  );
}

/** What an answer depends on, besides the question. */
export function teacherIdentity(teacher: Config['teacher']): Record<string, unknown> {
  const { provider, baseUrl, model, temperature, topP, maximumTokens, mistakeRate, answerFormat, attachImage } =
    teacher;
  return { provider, baseUrl, model, temperature, topP, maximumTokens, mistakeRate, answerFormat, attachImage };
}
