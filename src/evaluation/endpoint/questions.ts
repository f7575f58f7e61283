/** How a question of an evaluation is put to a server, and how its answer is read. */
import type { OpenAI } from 'openai';
import { hashValue } from '../../core/hash.ts';
import type { ExifMode } from '../../core/images/image-kind.ts';
import { encodePng, openImage } from '../../core/images/open-image.ts';
import { LETTERS, listedQuestion } from '../../datasets/question-text.ts';
import { withoutReasoning } from '../../teacher/answer-text.ts';
import { TeacherError } from '../../teacher/teacher-error.ts';
import { type EvaluationQuestion, imagesOfQuestion } from '../../trainer/job-files.ts';
import type { LetteredChoice } from '../benchmarks/benchmark.ts';
import { type EndpointMessage, type ScoredPrompt, scorePrompt, writeAnswer } from './client.ts';
import type { Ranking } from './rankings.ts';

/** What was found for a question. */
export interface EndpointAnswer {
  /** Mean loss of each answer, in their order; none where the choice was written, or there are none to rank. */
  losses: number[];
  /** What the model wrote where choices could not be ranked. */
  choiceText?: string | undefined;
  /** What the model wrote where the question asks for words. */
  text?: string | undefined;
}

/** A written choice is a letter or the words of a choice; what a model says beyond is not used. */
const choiceTokens = 64;

export interface AskSettings {
  client: OpenAI;
  model: string;
  ranking: Ranking;
  exif: ExifMode;
  signal: AbortSignal;
  /** Of the request, for the server's log. */
  call: string;
  /** Waits until one more request of the same question may be sent. */
  turn?: (() => Promise<void>) | undefined;
}

export interface AskedQuestion extends EndpointAnswer {
  usage: { promptTokens: number; completionTokens: number; totalTokens: number };
}

/**
 * Asks one question: ranks its answers, or has a choice written, and has words written where it asks for them. An image goes as
 * the pixels that every model here is shown, losslessly and in its own size.
 *
 * @throws TeacherError; InputError for an image that can't be read; the signal's reason
 */
export async function askQuestion(question: EvaluationQuestion, settings: AskSettings): Promise<AskedQuestion> {
  const images = await imagesOf(question, settings.exif);
  const usage = { promptTokens: 0, completionTokens: 0, totalTokens: 0 };
  const add = ({ promptTokens, completionTokens }: { promptTokens: number; completionTokens: number }) => {
    usage.promptTokens += promptTokens;
    usage.completionTokens += completionTokens;
    usage.totalTokens += promptTokens + completionTokens;
  };
  let isFirst = true;
  const turn = async () => {
    // The first has waited with its question.
    if (!isFirst) await settings.turn?.();
    isFirst = false;
  };
  const write = async (words: string, maximumTokens: number) => {
    const { client, model, signal, call } = settings;
    const request = { model, messages: [userMessage(words, images)], maximumTokens };
    await turn();
    const answer = await writeAnswer(client, request, { signal, id: call });
    add(answer.usage);
    // Of LLaMA's tokenizers the first word has a blank, which some servers leave.
    return withoutReasoning(answer.text).replace(/^ /, '');
  };
  const answer: EndpointAnswer = { losses: [] };
  if (question.answers.length > 0 && settings.ranking === 'prompt-logprobs') {
    answer.losses = await rank(question, images, { ...settings, turn }, add);
  } else if (question.answers.length > 0) {
    answer.choiceText = await write(writtenChoice(question).question, choiceTokens);
  }
  const { generate } = question;
  if (generate !== undefined) answer.text = await write(generate.question, generate.maximumNewTokens);
  return { ...answer, usage };
}

/**
 * The mean loss of each answer's own tokens: those behind the start that all answers share. What belongs to the start is found
 * by asking for it alone.
 */
async function rank(
  { question, answerStart, answers }: EvaluationQuestion,
  images: readonly string[],
  { client, model, signal, call, turn }: AskSettings,
  onUsage: (usage: ScoredPrompt['usage']) => void,
): Promise<number[]> {
  const scored = async (answer: string) => {
    const open: EndpointMessage[] = answer === '' ? [] : [{ role: 'assistant', content: answer }];
    await turn?.();
    const prompt = await scorePrompt(
      client,
      { model, messages: [userMessage(question, images), ...open] },
      { signal, id: call },
    );
    if (prompt === undefined) {
      const message = `The endpoint gave log-probabilities of a prompt before, and none now`;
      throw new TeacherError(message, { retryable: true, unusable: true });
    }
    onUsage(prompt.usage);
    return prompt;
  };
  const start = await scored(answerStart);
  const losses: number[] = [];
  for (const answer of answers) losses.push(lossBehind(start, await scored(answer)));
  return losses;
}

/**
 * The mean loss of the tokens that a prompt has and its start has not.
 *
 * @throws TeacherError where there is none, or one has no log-probability
 */
export function lossBehind({ tokens: start }: ScoredPrompt, { tokens }: ScoredPrompt): number {
  let shared = 0;
  while (shared < start.length && shared < tokens.length && start[shared]?.id === tokens[shared]?.id) shared += 1;
  const own = tokens.slice(shared);
  const known = own.flatMap((token) => token?.logprob ?? []);
  if (own.length === 0 || known.length < own.length) {
    const message = `The endpoint gave log-probabilities for ${known.length} of the ${own.length} tokens of an answer`;
    throw new TeacherError(message, { retryable: false });
  }
  return -known.reduce((sum, logprob) => sum + logprob, 0) / known.length;
}

/**
 * Whether a server leaves the assistant's message open and scores it: the tokens of its start are a beginning of the whole's,
 * save for one at the seam, and both do not end alike, as they would with the mark that ends a message.
 */
export function leavesOpen({ tokens: start }: ScoredPrompt, { tokens: whole }: ScoredPrompt): boolean {
  const differs = start.findIndex((token, place) => token?.id !== whole[place]?.id);
  const shared = differs < 0 ? start.length : differs;
  const endAlike = start.at(-1)?.id === whole.at(-1)?.id;
  return shared >= start.length - 1 && whole.length > start.length && !endAlike;
}

/** A question with choices to be answered by a letter, and the choices; those that the question does not list are listed. */
export function writtenChoice({ question, answerStart, answers }: EvaluationQuestion): {
  question: string;
  choices: LetteredChoice[];
} {
  const texts = answers.map((answer) => answer.slice(answerStart.length).trim());
  const lettered = texts.flatMap((text) => {
    const [, letter, words] = /^\(([A-Z])\) ([\s\S]*)$/.exec(text) ?? [];
    return letter === undefined || words === undefined ? [] : [{ letter, text: words }];
  });
  if (lettered.length === texts.length) return { question, choices: lettered };
  return {
    question: listedQuestion(question.trimEnd(), texts),
    choices: texts.map((text, index) => ({ letter: LETTERS[index] as string, text })),
  };
}

/** All that the answer to a question depends on, besides the server. Images count by their content. */
export function requestId(
  { image, laterImages, question_id: _, ...words }: EvaluationQuestion,
  images: readonly string[],
  settings: { ranking: Ranking; exif: ExifMode },
): string {
  return hashValue({ version: 1, words, images, ...settings });
}

export function userMessage(words: string, images: readonly string[]): EndpointMessage {
  if (images.length === 0) return { role: 'user', content: words };
  return {
    role: 'user',
    content: [
      ...images.map((url) => ({ type: 'image_url' as const, image_url: { url } })),
      { type: 'text', text: words },
    ],
  };
}

/** As data URLs. @throws InputError as `openImage` does */
async function imagesOf(question: EvaluationQuestion, exif: ExifMode): Promise<string[]> {
  const urls: string[] = [];
  for (const path of imagesOfQuestion(question)) {
    const png = await openImage(path, { exif }, encodePng);
    urls.push(`data:image/png;base64,${png.toString('base64')}`);
  }
  return urls;
}
