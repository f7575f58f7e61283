/**
 * Requests that come and go, decoded together: a slot each, a token each a step. Between steps canceled ones leave, and a
 * request that waits is read into a slot that is free. The text of each is what it would be alone.
 */
import { seededRandom } from '../../core/seeded-random.ts';
import { greedyToken, sampleToken, tokenLogprobs } from '../../model/decoding/sample-token.ts';
import type { SlotDecoder, SlotStep } from '../../model/decoding/slot-decoder.ts';
import type { SlotPrompt } from '../../model/decoding/slot-prompts.ts';
import { textStream } from '../../model/decoding/text-stream.ts';
import type { GeneratedToken, GenerationEnd } from '../engine.ts';

export interface SlotRequest {
  prompt: SlotPrompt;
  maxTokens: number;
  temperature: number;
  topP: number;
  stop: readonly string[];
  /** What the model writes before an answer. */
  separator: string;
  seed: number;
  topLogprobs?: number | undefined;
  signal: AbortSignal;
  onTokens(tokens: GeneratedToken[]): void;
  onEnd(end: GenerationEnd): void;
  onError(error: unknown): void;
}

export interface Scheduler {
  add(request: SlotRequest): void;
  /** The log-probability of each token of a prompt but the first. */
  score(prompt: SlotPrompt, signal: AbortSignal): Promise<Float32Array>;
  /** What runs and waits fails; resolves when no step runs any more. */
  close(): Promise<void>;
}

export interface SchedulerSettings {
  slots: number;
  ends: ReadonlySet<number>;
  decode(tokens: readonly number[]): string;
  /** The text of a token within a text. */
  tokenText(token: number): string;
}

/** A request in a slot. */
interface Sequence {
  request: SlotRequest;
  next: SlotStep;
  count: number;
  choose(logits: Float32Array): 'ended' | 'continues';
}

interface Scoring {
  prompt: SlotPrompt;
  signal: AbortSignal;
  resolve(logprobs: Float32Array): void;
  reject(error: unknown): void;
}

/** Prompts that are read at once while other requests wait for their next token. */
const READ_BETWEEN_STEPS = 4;

/** Lets messages in: a step blocks the event loop. */
const turnOfEventLoop = () => new Promise<void>((resolve) => setImmediate(resolve));

export function createScheduler(decoder: SlotDecoder, settings: SchedulerSettings): Scheduler {
  const rows: (Sequence | undefined)[] = new Array(settings.slots).fill(undefined);
  const waiting: SlotRequest[] = [];
  const scorings: Scoring[] = [];
  let running: Promise<void> | undefined;
  let closed = false;

  const active = () => rows.filter((row) => row !== undefined).length;

  const dropCanceled = () => {
    for (const [slot, row] of rows.entries()) {
      if (!row?.request.signal.aborted) continue;
      rows[slot] = undefined;
      row.request.onError(row.request.signal.reason);
    }
    for (const list of [waiting, scorings]) {
      for (let index = list.length - 1; index >= 0; index--) {
        const one = list[index] as SlotRequest | Scoring;
        if (!one.signal.aborted) continue;
        list.splice(index, 1);
        if ('reject' in one) one.reject(one.signal.reason);
        else one.onError(one.signal.reason);
      }
    }
  };

  const scoreOne = () => {
    const slot = rows.indexOf(undefined);
    const scoring = slot < 0 ? undefined : scorings.shift();
    if (scoring === undefined) return;
    try {
      scoring.resolve(decoder.score(slot, scoring.prompt));
    } catch (error) {
      scoring.reject(error);
    }
  };

  const fillSlots = () => {
    // Nobody has to wait for the prompts of others where nothing is written yet.
    const limit = active() === 0 ? settings.slots : READ_BETWEEN_STEPS;
    const free = [...rows.keys()].filter((slot) => rows[slot] === undefined).slice(0, limit);
    const requests = waiting.splice(0, free.length);
    if (requests.length === 0) return;
    try {
      const reads = requests.map(({ prompt }, index) => ({ slot: free[index] as number, prompt }));
      for (const [index, logits] of decoder.read(reads).entries()) {
        const sequence = sequenceOf(requests[index] as SlotRequest, settings);
        if (sequence.choose(logits) === 'continues') rows[free[index] as number] = sequence;
      }
    } catch (error) {
      for (const request of requests) request.onError(error);
    }
  };

  const step = () => {
    const size = decoder.stepSizes.find((candidate) => candidate >= active()) as number;
    closeGaps(rows, size, decoder);
    const steps = rows.slice(0, size).map((row) => row?.next);
    let logits: Float32Array;
    try {
      logits = decoder.step(steps);
    } catch (error) {
      for (const [slot, row] of rows.entries()) {
        rows[slot] = undefined;
        row?.request.onError(error);
      }
      return;
    }
    const vocabulary = logits.length / size;
    for (const [slot, row] of rows.slice(0, size).entries()) {
      if (row?.choose(logits.subarray(slot * vocabulary, (slot + 1) * vocabulary)) === 'ended') rows[slot] = undefined;
    }
  };

  const run = async () => {
    while (!closed) {
      // Requests that were made together are read together.
      await turnOfEventLoop();
      dropCanceled();
      if (closed || active() + waiting.length + scorings.length === 0) return;
      // Before requests that wait: it leaves the slot free for them, and they would not leave it one.
      scoreOne();
      fillSlots();
      await turnOfEventLoop();
      dropCanceled();
      if (active() > 0 && !closed) step();
    }
  };

  const wake = () => {
    if (closed) return;
    running ??= run().finally(() => {
      running = undefined;
      if (!closed && waiting.length + scorings.length > 0) wake();
    });
  };

  return {
    add(request) {
      if (closed) return request.onError(closedError());
      waiting.push(request);
      wake();
    },
    score(prompt, signal) {
      if (closed) return Promise.reject(closedError());
      return new Promise((resolve, reject) => {
        scorings.push({ prompt, signal, resolve, reject });
        wake();
      });
    },
    async close() {
      closed = true;
      await running;
      for (const request of [...rows.flatMap((row) => row?.request ?? []), ...waiting]) request.onError(closedError());
      for (const scoring of scorings) scoring.reject(closedError());
      rows.fill(undefined);
      waiting.length = 0;
      scorings.length = 0;
    },
  };
}

const closedError = () => new Error('the engine is closed');

/** Moves sequences down until all of them are in the first slots, as many as a step reads. */
function closeGaps(rows: (Sequence | undefined)[], size: number, decoder: SlotDecoder): void {
  for (let slot = rows.length - 1; slot >= size; slot--) {
    if (rows[slot] === undefined) continue;
    const gap = rows.indexOf(undefined);
    decoder.move(slot, gap);
    rows[gap] = rows[slot];
    rows[slot] = undefined;
  }
}

function sequenceOf(request: SlotRequest, { ends, decode, tokenText }: SchedulerSettings): Sequence {
  const { prompt, maxTokens, temperature, topP, topLogprobs, onTokens, onEnd } = request;
  const random = seededRandom(request.seed);
  const stream = textStream(decode, request);
  /** Tokens whose text is not certain yet. */
  const held: Omit<GeneratedToken, 'text'>[] = [];
  const giveOut = (texts: readonly string[]) => {
    if (texts.length > 0) onTokens(texts.map((text) => ({ ...(held.shift() as GeneratedToken), text })));
  };
  const sequence: Sequence = {
    request,
    next: { token: 0, position: prompt.tokenIds.length, adapter: prompt.adapter },
    count: 0,
    choose(logits) {
      const token = temperature > 0 ? sampleToken(logits, temperature, topP, random.uniform()) : greedyToken(logits);
      sequence.count += 1;
      const end = (finish: GenerationEnd['finish'], texts: readonly string[]): 'ended' => {
        giveOut(texts);
        onEnd({ finish, promptTokens: prompt.tokenIds.length, completionTokens: sequence.count });
        return 'ended';
      };
      if (ends.has(token)) return end('stop', stream.end());
      held.push({ id: token, ...(topLogprobs !== undefined && logprobsOf(logits, token, topLogprobs, tokenText)) });
      const { texts, isStopped } = stream.push(token);
      if (isStopped) return end('stop', texts);
      giveOut(texts);
      if (sequence.count >= maxTokens) return end('length', stream.end());
      sequence.next = {
        ...sequence.next,
        token,
        position: sequence.count === 1 ? prompt.tokenIds.length : sequence.next.position + 1,
      };
      return 'continues';
    },
  };
  return sequence;
}

function logprobsOf(logits: Float32Array, token: number, count: number, tokenText: (token: number) => string) {
  const { logprob, top } = tokenLogprobs(logits, token, count);
  return { logprob, top: top.map((one) => ({ ...one, text: tokenText(one.id) })) };
}
