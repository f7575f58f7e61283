/** An engine without a model: what it says follows from the request alone, word by word. For what is about the server. */
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../src/core/seeded-random.ts';
import type { ChatTurn, Engine, GenerationRequest } from '../../src/serving/engine.ts';

export interface WordsEngine extends Engine {
  /** The last requests that it was given, the newest last. */
  requests: GenerationRequest[];
  running: number;
  canceled: number;
  /** What answers fail with from now on, those that are being written too. */
  failure: Error | undefined;
}

const mostKept = 16;
const colors = ['red', 'green', 'blue', 'gray'];

/** @param delay milliseconds before each word */
export function wordsEngine({ delay = 0 }: { delay?: number } = {}): WordsEngine {
  const engine: WordsEngine = {
    models: ['base', 'north'],
    requests: [],
    running: 0,
    canceled: 0,
    failure: undefined,
    async *generate(request, signal) {
      engine.requests.push(request);
      engine.requests.splice(0, engine.requests.length - mostKept);
      engine.running += 1;
      let isDone = false;
      try {
        const { words, isStopped } = answerOf(request);
        for (const [index, text] of words.slice(0, request.maxTokens).entries()) {
          if (delay > 0) await sleep(delay, undefined, { signal });
          signal?.throwIfAborted();
          if (engine.failure !== undefined) throw engine.failure;
          const other = { id: 7, text: ' other', logprob: Number.NEGATIVE_INFINITY };
          yield {
            id: index,
            text,
            ...(request.topLogprobs !== undefined && {
              logprob: -index / 4,
              top: [{ id: index, text, logprob: -index / 4 }, other].slice(0, request.topLogprobs),
            }),
          };
        }
        isDone = true;
        const written = Math.min(words.length, request.maxTokens);
        const isCut = words.length > request.maxTokens;
        return {
          finish: isCut ? 'length' : 'stop',
          promptTokens: promptWords(request.turns).length,
          completionTokens: written + (isCut || isStopped ? 0 : 1),
        };
      } finally {
        engine.running -= 1;
        if (!isDone) engine.canceled += 1;
      }
    },
    async promptLogprobs({ turns, openEnd }) {
      if (engine.failure !== undefined) throw engine.failure;
      const tokens = [...promptWords(turns), ...(turns.at(-1)?.role === 'assistant' && !openEnd ? ['<end>'] : [])];
      return {
        ids: tokens.map((_, index) => 100 + index),
        tokens,
        logprobs: tokens.map((token, index) => (index === 0 || token === '<image>' ? null : -index / 8)),
      };
    },
    close: async () => undefined,
  };
  return engine;
}

function answerOf({ model, turns, temperature, seed, stop }: GenerationRequest): {
  words: string[];
  isStopped: boolean;
} {
  const color = temperature === 0 ? 'red' : seededRandom(seed).pick(colors);
  const asked = textOf(turns.at(-1));
  const images = turns.flatMap(({ content }) => content.filter(({ type }) => type === 'image')).length;
  const whole = `${model} heard "${asked}" with ${images} images: ${color} é 🦊`;
  const ends = stop.map((text) => whole.indexOf(text)).filter((place) => place >= 0);
  const text = ends.length > 0 ? whole.slice(0, Math.min(...ends)) : whole;
  return { words: text.match(/ ?[^ ]+| $/g) ?? [], isStopped: ends.length > 0 };
}

const textOf = (turn: ChatTurn | undefined): string =>
  (turn?.content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');

const promptWords = (turns: readonly ChatTurn[]): string[] => [
  '<start>',
  ...turns.flatMap(({ content }) =>
    content.flatMap((part) => (part.type === 'text' ? part.text.split(' ') : ['<image>', '<image>'])),
  ),
];
