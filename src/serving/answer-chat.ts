/** Answers one request to `/v1/chat/completions` by an engine. */
import { randomInt } from 'node:crypto';
import type { ChatCall } from './chat-request.ts';
import {
  type Answer,
  completion,
  logprobsOf,
  type ResponseHead,
  responseHead,
  streamPiece,
  usagePiece,
} from './chat-response.ts';
import type { Engine, GeneratedToken, GenerationEnd, GenerationRequest } from './engine.ts';

export interface AnswerSettings {
  engine: Engine;
  /** Longest answer where the request gives none, in tokens. */
  defaultMaxTokens: number;
  signal: AbortSignal;
  /** Called with each token, its choice's first one included. */
  onToken(isFirst: boolean): void;
  onEnd(end: GenerationEnd): void;
}

/** The whole response. @throws as `Engine.generate` */
export async function answerWhole(call: ChatCall, settings: AnswerSettings): Promise<object> {
  const { engine, signal } = settings;
  const { model, turns, scored } = call;
  const scores = scored && (await engine.promptLogprobs({ model, turns, openEnd: scored.openEnd }, signal));
  const answers = scored?.endsWithAnswer
    ? []
    : await allOrNone(call, settings, (request, own) => collect(request, { ...settings, signal: own }));
  const withLogprobs = call.topLogprobs !== undefined;
  return completion(responseHead(model), answers, { withLogprobs, scores });
}

/**
 * The pieces of the response, each as soon as its token is there; those of several choices in between one another.
 *
 * @param send resolves when the client has taken what was sent
 * @throws as `Engine.generate`
 */
export async function answerInPieces(
  call: ChatCall,
  settings: AnswerSettings,
  send: (piece: object) => Promise<void>,
): Promise<void> {
  const head = responseHead(call.model);
  const ends = await allOrNone(call, settings, (request, signal, index) =>
    sendChoice(request, { ...settings, signal }, { head, call, index, send }),
  );
  if (call.includeUsage) await send(usagePiece(head, ends));
}

async function sendChoice(
  request: GenerationRequest,
  settings: AnswerSettings,
  {
    head,
    call,
    index,
    send,
  }: { head: ResponseHead; call: ChatCall; index: number; send(piece: object): Promise<void> },
): Promise<GenerationEnd> {
  const piece = (rest: Omit<Parameters<typeof streamPiece>[1], 'index'>) =>
    send(streamPiece(head, { index, ...rest }, call.includeUsage));
  let isStarted = false;
  // Not before the first token: until then a refusal has a status of its own.
  const start = async () => {
    if (!isStarted) await piece({ delta: { role: 'assistant', content: '' } });
    isStarted = true;
  };
  const end = await eachToken(request, settings, async (token) => {
    await start();
    if (token.text === '' && call.topLogprobs === undefined) return;
    const logprobs = call.topLogprobs === undefined ? undefined : logprobsOf([token]);
    await piece({ delta: { content: token.text }, ...(logprobs && { logprobs }) });
  });
  await start();
  await piece({ delta: {}, finish_reason: end.finish });
  return end;
}

async function collect(request: GenerationRequest, settings: AnswerSettings): Promise<Answer> {
  const tokens: GeneratedToken[] = [];
  const end = await eachToken(request, settings, (token) => void tokens.push(token));
  return { tokens, end };
}

async function eachToken(
  request: GenerationRequest,
  { engine, signal, onToken, onEnd }: AnswerSettings,
  take: (token: GeneratedToken) => Promise<void> | void,
): Promise<GenerationEnd> {
  const tokens = engine.generate(request, signal);
  let isFirst = true;
  try {
    for (;;) {
      const next = await tokens.next();
      signal.throwIfAborted();
      if (next.done) {
        onEnd(next.value);
        return next.value;
      }
      onToken(isFirst);
      isFirst = false;
      await take(next.value);
    }
  } finally {
    // A client that left waits for nothing more.
    await tokens.return?.(undefined as never).catch(() => undefined);
  }
}

/** Runs the choices of a request at once. When one fails, the others are canceled. */
async function allOrNone<R>(
  call: ChatCall,
  { signal, defaultMaxTokens }: AnswerSettings,
  work: (request: GenerationRequest, signal: AbortSignal, index: number) => Promise<R>,
): Promise<R[]> {
  const others = new AbortController();
  const all = AbortSignal.any([signal, others.signal]);
  const { model, turns, temperature, topP, stop, topLogprobs, seed = randomInt(2 ** 47) } = call;
  const maxTokens = call.maxTokens ?? defaultMaxTokens;
  const runs = Array.from({ length: call.choices }, (_, index) => {
    const request = { model, turns, maxTokens, temperature, topP, stop, seed: seed + index };
    return work({ ...request, ...(topLogprobs !== undefined && { topLogprobs }) }, all, index).catch(
      (error: unknown) => {
        others.abort(error);
        throw error;
      },
    );
  });
  await Promise.allSettled(runs);
  return Promise.all(runs);
}
