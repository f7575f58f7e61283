/** Asks an engine the questions of the serving gate. */
import type { ChatTurn, Engine, PromptLogprobs } from '../engine.ts';
import type { GateAnswer, WrittenToken } from './compare-answers.ts';

/** A question with choices, each a whole answer. */
export interface GateQuestion {
  id: string;
  question: string;
  image?: Uint8Array | undefined;
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
  const { text, tokens } = await write(question, asked);
  return { id: question.id, text, tokens, losses: await choiceLosses(question, asked) };
}

function userTurn({ question, image }: Pick<GateQuestion, 'question' | 'image'>): ChatTurn {
  const shown = image === undefined ? [] : [{ type: 'image' as const, image }];
  return { role: 'user', content: [...shown, { type: 'text', text: question }] };
}

function answerTurn(text: string): ChatTurn {
  return { role: 'assistant', content: [{ type: 'text', text }] };
}

async function write(
  question: GateQuestion,
  { engine, model, maximumTokens, signal }: EngineToAsk,
): Promise<{ text: string; tokens: WrittenToken[] }> {
  const settings = { maxTokens: maximumTokens, temperature: 0, topP: 1, stop: [], seed: 1, topLogprobs: alternatives };
  const tokens: WrittenToken[] = [];
  for await (const { text, top = [] } of engine.generate({ model, turns: [userTurn(question)], ...settings }, signal)) {
    tokens.push({ text, top });
  }
  return { text: tokens.map(({ text }) => text).join(''), tokens };
}

/** The mean loss of each choice's tokens, without those of what ends an answer. */
async function choiceLosses(question: GateQuestion, asked: EngineToAsk): Promise<number[]> {
  const turn = userTurn(question);
  const { ids: start } = await scored([turn], asked);
  const choices = await Promise.all(question.choices.map((choice) => scored([turn, answerTurn(choice)], asked)));
  return choices.map(({ ids, logprobs }) => {
    const own = logprobs.slice(commonStart(start, ids));
    return -own.reduce<number>((sum, logprob) => sum + (logprob ?? 0), 0) / Math.max(1, own.length);
  });
}

function scored(turns: ChatTurn[], { engine, model, signal }: EngineToAsk): Promise<PromptLogprobs> {
  return engine.promptLogprobs({ model, turns, openEnd: true }, signal);
}

function commonStart(one: readonly number[], other: readonly number[]): number {
  const differs = one.findIndex((id, index) => id !== other[index]);
  return differs < 0 ? one.length : differs;
}
