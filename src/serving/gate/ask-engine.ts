/** Asks an engine the questions of the serving gate. */
import { InputError } from '../../core/input-error.ts';
import { TrainerError } from '../../trainer/supervisor/trainer-error.ts';
import type { ChatTurn, Engine, PromptLogprobs } from '../engine.ts';
import type { GateAnswer, WrittenToken } from './compare-answers.ts';

/** A question with choices, each a whole answer. */
export interface GateQuestion {
  id: string;
  question: string;
  /** Reads its image when it is asked: those of all questions are many. */
  image?: (() => Promise<Uint8Array>) | undefined;
  /** Texts to rank; none of a question whose answer is only written. */
  choices: readonly string[];
}

export interface EngineToAsk {
  engine: Engine;
  /** One of the engine's models. */
  model: string;
  /** Tokens that are written at most. */
  maximumTokens: number;
  /** Questions that are asked at a time; default 8. */
  concurrency?: number;
  signal?: AbortSignal | undefined;
  onAnswer?: ((done: number) => void) | undefined;
}

/** Alternatives whose likelihood is compared where two texts part. */
const alternatives = 5;

/**
 * Answers of a model, in the questions' order.
 *
 * @throws as the engine
 */
export async function askEngine(questions: readonly GateQuestion[], asked: EngineToAsk): Promise<GateAnswer[]> {
  const { concurrency = 8, onAnswer } = asked;
  const answers: GateAnswer[] = new Array(questions.length);
  let done = 0;
  const left = [...questions.entries()].reverse();
  await Promise.all(
    Array.from({ length: Math.min(concurrency, questions.length) }, async () => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) {
        const [index, question] = next;
        answers[index] = await answer(question, asked);
        done += 1;
        onAnswer?.(done);
      }
    }),
  );
  return answers;
}

async function answer(question: GateQuestion, asked: EngineToAsk): Promise<GateAnswer> {
  const turn = await userTurn(question);
  const { text, tokens } = await write(turn, asked);
  const losses = await choiceLosses(turn, question.choices, asked).catch((error: unknown) => {
    // What was answered and can't be scored is of a model that has no losses after those before it, such as PaliGemma.
    if (error instanceof InputError || (error instanceof TrainerError && error.kind === 'input')) return undefined;
    throw error;
  });
  return { id: question.id, text, tokens, losses };
}

async function userTurn({ question, image }: GateQuestion): Promise<ChatTurn> {
  const shown = image === undefined ? [] : [{ type: 'image' as const, image: await image() }];
  return { role: 'user', content: [...shown, { type: 'text', text: question }] };
}

function answerTurn(text: string): ChatTurn {
  return { role: 'assistant', content: [{ type: 'text', text }] };
}

async function write(
  turn: ChatTurn,
  { engine, model, maximumTokens, signal }: EngineToAsk,
): Promise<{ text: string; tokens: WrittenToken[] }> {
  const settings = { maxTokens: maximumTokens, temperature: 0, topP: 1, stop: [], seed: 1, topLogprobs: alternatives };
  const tokens: WrittenToken[] = [];
  for await (const { text, top = [] } of engine.generate({ model, turns: [turn], ...settings }, signal)) {
    tokens.push({ text, top });
  }
  return { text: tokens.map(({ text }) => text).join(''), tokens };
}

/** The mean loss of each choice's tokens, without those of what ends an answer; none where one of them has no log-probability. */
async function choiceLosses(
  turn: ChatTurn,
  texts: readonly string[],
  asked: EngineToAsk,
): Promise<number[] | undefined> {
  const { ids: start } = await scored([turn], asked);
  const choices = await Promise.all(texts.map((choice) => scored([turn, answerTurn(choice)], asked)));
  const losses = choices.map((choice) => meanLoss(choice, start));
  return losses.every((loss) => loss !== undefined) ? losses : undefined;
}

/**
 * The mean loss of the tokens that a prompt has behind those of `start`.
 *
 * @returns undefined where one of them has no log-probability, as a token of an image
 */
export function meanLoss(
  { ids, logprobs }: Pick<PromptLogprobs, 'ids' | 'logprobs'>,
  start: readonly number[],
): number | undefined {
  const own = logprobs.slice(commonStart(start, ids));
  const known = own.filter((logprob) => logprob !== null);
  if (known.length < own.length) return undefined;
  return -known.reduce((sum, logprob) => sum + logprob, 0) / Math.max(1, own.length);
}

function scored(turns: ChatTurn[], { engine, model, signal }: EngineToAsk): Promise<PromptLogprobs> {
  return engine.promptLogprobs({ model, turns, openEnd: true }, signal);
}

function commonStart(one: readonly number[], other: readonly number[]): number {
  const differs = one.findIndex((id, index) => id !== other[index]);
  return differs < 0 ? one.length : differs;
}
