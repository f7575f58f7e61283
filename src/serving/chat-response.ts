/** Responses of `/v1/chat/completions`, and the pieces of a stream, in OpenAI's form; scores of a prompt in vLLM's. */
import { randomUUID } from 'node:crypto';
import type { Alternative, GeneratedToken, GenerationEnd, PromptLogprobs } from './engine.ts';

/** A whole answer. */
export interface Answer {
  tokens: GeneratedToken[];
  end: GenerationEnd;
}

/** JSON has no infinity; OpenAI and vLLM write this. */
const leastLogprob = -9999;

/** What all objects of one response have. */
export interface ResponseHead {
  id: string;
  created: number;
  model: string;
}

export function responseHead(model: string): ResponseHead {
  return { id: `chatcmpl-${randomUUID().replaceAll('-', '')}`, created: Math.floor(Date.now() / 1000), model };
}

/** @param answers none where only the prompt was scored: nothing is written then */
export function completion(
  head: ResponseHead,
  answers: readonly Answer[],
  { withLogprobs, scores }: { withLogprobs: boolean; scores?: PromptLogprobs | undefined },
) {
  const written = answers.length > 0 ? answers : [{ tokens: [], end: unwritten(scores) }];
  return {
    ...head,
    object: 'chat.completion',
    choices: written.map(({ tokens, end }, index) => ({
      index,
      message: { role: 'assistant', content: tokens.map(({ text }) => text).join(''), refusal: null },
      logprobs: withLogprobs ? logprobsOf(tokens) : null,
      finish_reason: end.finish,
    })),
    usage: usageOf(written.map(({ end }) => end)),
    ...(scores && { prompt_logprobs: promptLogprobs(scores) }),
  };
}

const unwritten = (scores: PromptLogprobs | undefined): GenerationEnd => ({
  finish: 'length',
  promptTokens: scores?.ids.length ?? 0,
  completionTokens: 0,
});

/** What a piece of a stream says of one choice. */
export interface Piece {
  index: number;
  delta: { role?: 'assistant'; content?: string };
  logprobs?: ReturnType<typeof logprobsOf>;
  finish_reason?: GenerationEnd['finish'];
}

/** @param includeUsage whether the stream ends with a piece that says what was used; all others have none */
export function streamPiece(
  head: ResponseHead,
  { index, delta, logprobs, finish_reason }: Piece,
  includeUsage: boolean,
) {
  return {
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index, delta, logprobs: logprobs ?? null, finish_reason: finish_reason ?? null }],
    ...(includeUsage && { usage: null }),
  };
}

export function usagePiece(head: ResponseHead, ends: readonly GenerationEnd[]) {
  return { ...head, object: 'chat.completion.chunk', choices: [], usage: usageOf(ends) };
}

/** The prompt, which all choices share, counts once. */
function usageOf(ends: readonly GenerationEnd[]) {
  const prompt_tokens = ends[0]?.promptTokens ?? 0;
  const completion_tokens = ends.reduce((sum, { completionTokens }) => sum + completionTokens, 0);
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}

export function logprobsOf(tokens: readonly GeneratedToken[]) {
  const content = tokens.map(({ id, text, logprob = leastLogprob, top = [] }) => ({
    ...scored({ id, text, logprob }),
    top_logprobs: top.map(scored),
  }));
  return { content, refusal: null };
}

const scored = ({ text, logprob }: Alternative) => ({
  token: text,
  logprob: Math.max(logprob, leastLogprob),
  bytes: [...Buffer.from(text)],
});

/** By token of the prompt: its id → its score; null where it has none. */
function promptLogprobs({ ids, tokens, logprobs }: PromptLogprobs) {
  return ids.map((id, place) => {
    const logprob = logprobs[place];
    if (logprob === undefined || logprob === null) return null;
    return { [id]: { logprob: Math.max(logprob, leastLogprob), rank: null, decoded_token: tokens[place] ?? null } };
  });
}

/** @param models the base first; the others are adapters over it */
export function modelList(models: readonly string[], created: number) {
  const [base] = models;
  const data = models.map((id) => ({
    ...{ id, object: 'model', created, owned_by: 'dataengine' },
    parent: id === base ? null : base,
  }));
  return { object: 'list', data };
}
