/**
 * A server of the chat-completions protocol that answers the questions of an evaluation: vLLM, SGLang, llama.cpp, Ollama,
 * ours. Requests and errors are those of the teacher's client.
 */
import type { OpenAI } from 'openai';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import { z } from 'zod';
import { type Access, isSecretBound, mayReceiveSecret } from '../../core/access.ts';
import { InputError } from '../../core/input-error.ts';
import { openaiClient } from '../../teacher/providers/openai.ts';
import { readCompletion, type TeacherAnswer } from '../../teacher/read-completion.ts';
import { teacherErrorFrom } from '../../teacher/read-error.ts';
import { TeacherError } from '../../teacher/teacher-error.ts';

/** Where the answers come from. */
export interface Endpoint {
  /** Such as `http://127.0.0.1:8000/v1`. */
  url: string;
  /** The model's name at the server. */
  model: string;
  /** The key's variable or file, where one was named: it must be bound to the host then. */
  apiKeyVariable?: string | undefined;
  apiKeyFile?: string | undefined;
  requestTimeoutSeconds: number;
}

const usualVariable = 'OPENAI_API_KEY';

/**
 * Makes the client of an endpoint. A key that was not named goes only where the settings bind it; without one the server is
 * asked with the word `none`.
 *
 * @param access which secrets may go to which hosts: the settings of the worker, those of this process for a command too
 * @throws InputError for an address that can't be used, and for a named key that may not go there or is missing
 */
export function endpointClient(
  { url, apiKeyVariable, apiKeyFile, requestTimeoutSeconds }: Omit<Endpoint, 'model'>,
  access: NonNullable<Access>,
): OpenAI {
  const baseUrl = endpointUrl(url);
  const isNamed = apiKeyVariable !== undefined || apiKeyFile !== undefined;
  const secret = { variable: apiKeyVariable ?? usualVariable, file: apiKeyFile };
  if (isNamed && !mayReceiveSecret(access, secret, baseUrl, '--endpoint')) {
    throw new InputError({
      file: 'command line',
      field: '--api-key-variable',
      problem: `this machine may not send ${secret.variable} to ${new URL(baseUrl).host}`,
      remedy: 'List it for that host under secrets in the settings of this machine, or leave it out',
    });
  }
  const isSent = isNamed || isSecretBound(access, secret, baseUrl);
  const place = { apiKeyVariable: secret.variable, apiKeyFile, access };
  const settings = { baseUrl, requestTimeoutSeconds };
  return isSent
    ? openaiClient({ ...settings, ...place })
    : openaiClient({ ...settings, apiKeyVariable: usualVariable }, { [usualVariable]: 'none' });
}

/** The address as it is kept, without a slash at its end. @throws InputError for one that no request can go to */
export function endpointUrl(address: string): string {
  const refuse = (problem: string, remedy: string) =>
    new InputError({ file: 'command line', field: '--endpoint', problem, remedy });
  const example = 'Give one such as http://127.0.0.1:8000/v1';
  if (!URL.canParse(address)) throw refuse('is no address', example);
  const { protocol, username, password, search, hash } = new URL(address);
  if (protocol !== 'http:' && protocol !== 'https:') throw refuse('is neither http nor https', example);
  if (username !== '' || password !== '') {
    throw refuse('has a user name or a password', 'Give the key by --api-key-variable');
  }
  if (search !== '' || hash !== '') throw refuse('has a query', example);
  return address.replace(/\/+$/, '');
}

/** One message of a request: images first, as the families' own prompts have them. */
export type EndpointMessage =
  | {
      role: 'user';
      content: string | ({ type: 'image_url'; image_url: { url: string } } | { type: 'text'; text: string })[];
    }
  | { role: 'assistant'; content: string };

/** A greedy request. */
export interface EndpointRequest {
  model: string;
  messages: readonly EndpointMessage[];
  maximumTokens: number;
}

/** Asks for an answer in words. @throws TeacherError that says whether and when to retry; the signal's reason */
export async function writeAnswer(
  client: OpenAI,
  request: EndpointRequest,
  call: { signal: AbortSignal; id?: string | undefined },
): Promise<TeacherAnswer> {
  const body = bodyOf(request);
  return readAnswer(await send(client, body, call), body);
}

/** The prompt's tokens: the id and log-probability of each, null where the server gives none (the first, those of an image). */
export interface ScoredPrompt {
  tokens: ({ id: string; logprob: number } | null)[];
  usage: { promptTokens: number; completionTokens: number };
}

/**
 * Asks for the log-probabilities of a prompt, in vLLM's form: `prompt_logprobs: 0` is each token's own alone. A last message of
 * the assistant's is left open, as the start of its answer.
 *
 * @returns undefined where the server gives none
 * @throws TeacherError; the signal's reason
 */
export async function scorePrompt(
  client: OpenAI,
  request: Omit<EndpointRequest, 'maximumTokens'>,
  call: { signal: AbortSignal; id?: string | undefined },
): Promise<ScoredPrompt | undefined> {
  const isOpen = request.messages.at(-1)?.role === 'assistant';
  const body = {
    ...bodyOf({ ...request, maximumTokens: 1 }),
    prompt_logprobs: 0,
    add_generation_prompt: !isOpen,
    continue_final_message: isOpen,
  };
  return readScoredPrompt(await send(client, body, call));
}

/** Reads a response with `prompt_logprobs`; undefined for one without. */
export function readScoredPrompt(response: unknown): ScoredPrompt | undefined {
  const parsed = scoredSchema.safeParse(response);
  if (!parsed.success) return undefined;
  const { prompt_logprobs, usage } = parsed.data;
  return {
    tokens: prompt_logprobs.map((position) => {
      const [only] = Object.entries(position ?? {});
      return only === undefined ? null : { id: only[0], logprob: only[1].logprob };
    }),
    usage: {
      promptTokens: usage?.prompt_tokens ?? prompt_logprobs.length,
      completionTokens: usage?.completion_tokens ?? 0,
    },
  };
}

/** The names of the models that a server has. @throws TeacherError */
export async function listModels(client: OpenAI, signal: AbortSignal): Promise<string[]> {
  try {
    const { data } = await client.models.list({ signal });
    const models = modelsSchema.safeParse(data);
    if (models.success) return models.data.map(({ id }) => id);
    throw new TeacherError('The endpoint has no list of models in the form of the protocol (GET /models)', {
      retryable: false,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof TeacherError ? error : asEndpointError(error);
  }
}

const modelsSchema = z.array(z.looseObject({ id: z.string().min(1) }));
const logprob = z.looseObject({ logprob: z.number() });
const count = z.number().nonnegative();
const scoredSchema = z.looseObject({
  prompt_logprobs: z.array(z.record(z.string(), logprob).nullable()).min(1),
  usage: z
    .looseObject({ prompt_tokens: count, completion_tokens: count.default(0) })
    .nullish()
    .catch(undefined),
});

function bodyOf({ model, messages, maximumTokens }: EndpointRequest): ChatCompletionCreateParamsNonStreaming {
  return { model, messages: [...messages], temperature: 0, top_p: 1, max_tokens: maximumTokens, seed: 0 };
}

async function send(
  client: OpenAI,
  body: ChatCompletionCreateParamsNonStreaming,
  { signal, id }: { signal: AbortSignal; id?: string | undefined },
): Promise<unknown> {
  // The client never removes its listener, and one signal serves all requests.
  const own = new AbortController();
  const abort = () => own.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener('abort', abort, { once: true });
  try {
    const headers = id === undefined ? {} : { 'X-Client-Request-Id': id };
    return await client.chat.completions.create(body, { signal: own.signal, headers });
  } catch (error) {
    signal.throwIfAborted();
    throw asEndpointError(error);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function readAnswer(response: unknown, body: ChatCompletionCreateParamsNonStreaming): TeacherAnswer {
  try {
    return readCompletion(response, body);
  } catch (error) {
    throw asEndpointError(error);
  }
}

/** The same words for who is asked and what to check, in errors of the teacher's client. */
const words: readonly [RegExp, string][] = [
  [/teacher\.baseUrl/g, 'the address of the endpoint'],
  [/teacher\.model/g, "the model's name"],
  [/, or in teacher\.apiKeyFile/g, ' or the file of the key'],
  [/\. Set teacher\.\w+ to .*$/, ''],
  [/\b([Tt]he) teacher's\b/g, "$1 endpoint's"],
  [/\b([Tt]he) teacher\b/g, '$1 endpoint'],
];

function asEndpointError(error: unknown): TeacherError {
  const known = teacherErrorFrom(error);
  const message = words.reduce((text, [from, to]) => text.replace(from, to), known.message);
  return new TeacherError(message, { ...known, cause: known.cause });
}
