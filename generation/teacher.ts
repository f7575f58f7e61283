import OpenAI from 'openai';
import { z } from 'zod';
import { hashValue } from '../store/hash.ts';
import { InputError } from '../store/input-error.ts';
import type { ChatMessage } from './prompt-template.ts';
import { TeacherError, teacherErrorFrom } from './teacher-error.ts';

/** Where the teacher is and how it is asked: the `teacher` part of a config. */
export interface TeacherSettings {
  provider: 'local' | 'openai';
  /** Needed for the local teacher; for `openai` it names another server with the same protocol. */
  baseUrl?: string | undefined;
  model: string;
  /** The environment variable that holds the key. */
  apiKeyVariable: string;
  temperature: number;
  topP: number;
  maximumTokens: number;
  requestTimeoutSeconds: number;
}

/** Tokens as the teacher counted them. */
export interface TokenUsage {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
}

/** An answer, and what is needed to account for it. */
export interface TeacherAnswer {
  text: string;
  usage: TokenUsage;
  /** The model that answered, by the name it gave itself. */
  model: string;
  /** SHA-256 of what was asked, with all settings that matter to the answer. */
  requestHash: string;
}

const completion = z.object({
  model: z.string(),
  choices: z.array(z.object({ message: z.object({ content: z.string().nullish() }) })).min(1),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number(), total_tokens: z.number() }).nullish(),
});

/**
 * Makes the client that all requests of a process share. It never tries again by itself: that is left to the
 * caller, who knows how long the whole work may take.
 *
 * @throws InputError when the key's variable is not set, or the local teacher's address is missing.
 */
export function createTeacherClient(
  settings: TeacherSettings,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): OpenAI {
  const key = environment[settings.apiKeyVariable];
  if (settings.provider === 'openai' && !key) {
    throw new InputError({
      file: 'environment',
      field: settings.apiKeyVariable,
      problem: 'is not set, and the teacher needs a key',
      remedy: `Set ${settings.apiKeyVariable}, or choose the local teacher (teacher.provider: local)`,
    });
  }
  if (settings.provider === 'local' && !settings.baseUrl) {
    throw new InputError({
      file: 'config',
      field: 'teacher.baseUrl',
      problem: 'is missing, and the local teacher has no other address',
      remedy: 'Start the local teacher and give its address, such as http://127.0.0.1:8787/v1',
    });
  }
  return new OpenAI({
    // A key for OpenAI must not reach another server by accident.
    apiKey: settings.provider === 'openai' ? (key as string) : 'local-teacher',
    // Undefined would let the client take these from the environment.
    baseURL: settings.baseUrl ?? 'https://api.openai.com/v1',
    organization: settings.provider === 'openai' ? (environment.OPENAI_ORG_ID ?? null) : null,
    project: settings.provider === 'openai' ? (environment.OPENAI_PROJECT_ID ?? null) : null,
    maxRetries: 0,
    timeout: settings.requestTimeoutSeconds * 1000,
    logLevel: 'off',
  });
}

/**
 * Asks the teacher once.
 *
 * @param options.seed handed to servers that can repeat an answer
 * @throws TeacherError that says whether and when to try again; the signal's reason when it was aborted.
 */
export async function askTeacher(
  client: OpenAI,
  messages: readonly ChatMessage[],
  settings: Pick<TeacherSettings, 'model' | 'temperature' | 'topP' | 'maximumTokens'>,
  options: { signal?: AbortSignal; seed?: number } = {},
): Promise<TeacherAnswer> {
  const body = {
    model: settings.model,
    messages: [...messages],
    temperature: settings.temperature,
    top_p: settings.topP,
    max_tokens: settings.maximumTokens,
    ...(options.seed === undefined ? {} : { seed: options.seed }),
  };
  let response: unknown;
  try {
    response = await withOwnSignal(options.signal, (signal) => client.chat.completions.create(body, { signal }));
  } catch (error) {
    options.signal?.throwIfAborted();
    throw teacherErrorFrom(error);
  }
  const result = completion.safeParse(response);
  if (!result.success) {
    throw new TeacherError('The teacher answered something that is not a chat completion', { retryable: true });
  }
  const { choices, model, usage } = result.data;
  return {
    text: choices[0]?.message.content ?? '',
    usage: {
      promptTokens: usage?.prompt_tokens ?? 0,
      completionTokens: usage?.completion_tokens ?? 0,
      totalTokens: usage?.total_tokens ?? 0,
    },
    model,
    requestHash: hashValue(body),
  };
}

// The client never takes its listener off a signal, and one signal may serve a hundred thousand requests.
async function withOwnSignal<T>(outer: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort(outer?.reason);
  if (outer?.aborted) abort();
  outer?.addEventListener('abort', abort, { once: true });
  try {
    return await work(controller.signal);
  } finally {
    outer?.removeEventListener('abort', abort);
  }
}
