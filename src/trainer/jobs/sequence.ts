/** One sample as the model reads it: token ids with places for the image. */
import path from 'node:path';
import { InputError } from '../../core/input-error.ts';
import { familyOf } from '../../model/families/index.ts';
import { conversationTurn, type PromptForm, questionTurn } from '../../model/families/prompt-form.ts';
import type { ModelDirectory } from '../../model/files/model-directory.ts';
import { asPlainText } from '../../model/text/plain-text.ts';
import { specialIdProblem, specialIds } from '../../model/text/special-ids.ts';
import type { Tokenizer } from '../../model/text/tokenizer.ts';

export interface Sequence {
  tokenIds: number[];
  /** Place of the first image embedding, or -1 where the prompt shows no image. */
  imageStart: number;
  /** Index of the first token the loss is on; everything from here to the end counts, but for `unlearned`. */
  answerStart: number;
  /** Places of the first embeddings of further images. */
  laterImages?: readonly number[];
  /** Ranges of tokens behind `answerStart` that the loss is not on: first, and first that is not of it. */
  unlearned?: readonly (readonly [number, number])[];
}

/** How a model's prompts become ids. */
export interface PromptSettings {
  tokenizer: Tokenizer;
  /** Image embeddings that the mark stands for. */
  queries: number;
  beginToken: number;
  form: PromptForm;
}

/** How texts become tokens, where that is not as the model's family has it: what was computed otherwise is not resumed. */
export function tokenizedOf(family: { promptForm: PromptForm } | undefined): string | undefined {
  const tokenized = family?.promptForm.tokenized;
  return tokenized === 'questionWithAnswer' ? tokenized : undefined;
}

export interface SequenceSettings extends PromptSettings {
  /** Tokens of a question and its answer that are kept; the words of the family before the question do not count. */
  maximumTokens: number;
}

export interface TrainingSequence extends Sequence {
  /** Tokens at the end of question and answer that are left out, for being beyond `maximumTokens`. */
  cut: number;
}

/**
 * The settings of a model's family.
 *
 * @param form default: the family's own
 * @param note called once when `config.json` and the tokenizer disagree
 * @throws InputError for a tokenizer without the token that the family's image mark needs
 */
export function promptSettings(
  model: Pick<ModelDirectory, 'directory' | 'config'>,
  tokenizer: Tokenizer,
  note?: (message: string) => void,
  form: PromptForm = familyOf(model.config).promptForm,
): PromptSettings {
  const family = familyOf(model.config);
  if (form.tokenized === 'together' && tokenizer.tokenId(form.imageMark) === undefined) {
    throw new InputError({
      file: path.join(model.directory, 'tokenizer.json'),
      field: form.imageMark,
      problem: 'is no token of this tokenizer',
      remedy: `Add ${form.imageMark} to its special tokens, or take the tokenizer that belongs to the model`,
    });
  }
  const text = model.config.text_config;
  const problem = specialIdProblem(text, tokenizer);
  if (problem !== undefined) note?.(problem);
  return {
    tokenizer,
    queries: family.imageTokens,
    beginToken: specialIds(text, tokenizer).begin,
    form,
  };
}

/**
 * The prompt of a question. Special tokens in its words are text.
 *
 * @param images how many it shows; several all stand before its words, and need a form for conversations
 */
export function promptOf(
  question: string,
  { tokenizer, form }: Pick<PromptSettings, 'tokenizer' | 'form'>,
  images: number,
): string {
  const { plainText } = tokenizer;
  if (images < 2) return questionTurn(form, question, { withImage: images === 1, plainText });
  return conversationTurn(form, { question, images, isFirst: true }, plainText);
}

/** An answer, or a part of one, in whose words special tokens are text. */
function answerText(answer: string, { tokenizer, form }: PromptSettings): string {
  return asPlainText(tokenizer.plainText(answer), form.imageMark);
}

/** A prompt as ids, with the places of the first embeddings of its images. */
export interface PromptIds {
  ids: number[];
  /** -1 where it shows none. */
  imageStart: number;
  laterImages?: readonly number[];
}

/**
 * A prompt as ids: begin token, text, `queries` places for each image, text.
 *
 * @param images how many of its image marks, from the first on, are the place of one; others are text
 */
export async function promptIds(prompt: string, settings: PromptSettings, images = 1): Promise<PromptIds> {
  const { tokenizer, queries, beginToken, form } = settings;
  const { imageMark } = form;
  const parts = prompt.split(imageMark);
  const texts = [...parts.slice(0, images), asPlainText(parts.slice(images).join(imageMark), imageMark)];
  if (parts.length <= images) texts.splice(parts.length);
  const mark = tokenizer.tokenId(imageMark) ?? 0;
  const encoded =
    form.tokenized === 'together' && texts.length > 1
      ? splitAt(await tokenizer.encode(texts.join(imageMark)), mark)
      : await Promise.all(texts.map((text) => tokenizer.encode(text)));
  const ids = [beginToken];
  const starts = encoded.map((part, index) => {
    if (index > 0) ids.push(...new Array<number>(queries).fill(mark));
    const start = ids.length - queries;
    ids.push(...part);
    return start;
  });
  const [imageStart = -1, ...laterImages] = starts.slice(1);
  return { ids, imageStart, ...(laterImages.length > 0 && { laterImages }) };
}

function splitAt(ids: readonly number[], mark: number): number[][] {
  const parts: number[][] = [[]];
  for (const id of ids) {
    if (id === mark) parts.push([]);
    else parts.at(-1)?.push(id);
  }
  return parts;
}

/**
 * The ids of a text that follows another one. A tokenizer that puts a space before every text would put one
 * into the middle were the second text given to it alone.
 */
async function continuationIds(tokenizer: Tokenizer, before: string, text: string): Promise<number[]> {
  const [start, whole] = await Promise.all([tokenizer.encode(before), tokenizer.encode(before + text)]);
  return whole.slice(commonStart(start, whole));
}

/** How many ids two lists have in common at their start. */
export function commonStart(one: readonly number[], other: readonly number[]): number {
  const differs = one.findIndex((id, index) => id !== other[index]);
  return differs < 0 ? one.length : differs;
}

/** The ids of an answer, or of its beginning, and of what ends it, after a prompt. Special tokens in its words are text. */
export async function answerIds(prompt: string, answer: string, settings: PromptSettings, end = ''): Promise<number[]> {
  const { tokenizer, form } = settings;
  const text = answerText(form.answerSeparator + answer, settings) + end;
  return form.tokenized === 'together' ? continuationIds(tokenizer, prompt, text) : tokenizer.encode(text);
}

/** A question whose answers are ranked; each answer is whole, with `answerStart`. */
export interface RankedQuestion {
  question: string;
  /** How many it shows. */
  images: number;
  answerStart: string;
  answers: readonly string[];
}

/** The ids of a question up to where its answers differ, and what each of them adds. */
export async function rankedIds(
  { question, images, answerStart, answers }: RankedQuestion,
  settings: PromptSettings,
): Promise<PromptIds & { answers: number[][] }> {
  const { form, tokenizer } = settings;
  const rests = answers.map((answer) => answer.slice(answerStart.length));
  if (form.tokenized === 'questionWithAnswer') {
    const ranked = { tokenizer, form: { ...form, turn: form.rankedTurn ?? form.turn } };
    const prompt = promptOf(question, ranked, images);
    const { ids, imageStart } = await promptIds(prompt + answerText(answerStart, settings), settings);
    const encoded = await Promise.all(rests.map((rest) => tokenizer.encode(answerText(rest.trimStart(), settings))));
    if (images === 0 || form.rankedTurn === undefined) return { ids, imageStart, answers: encoded };
    return { ids: ids.slice(1), imageStart: imageStart - 1, answers: encoded };
  }
  const prompt = promptOf(question, settings, images);
  const { ids, ...places } = await promptIds(prompt, settings, images);
  if (answerStart === '') {
    return {
      ids,
      ...places,
      answers: await Promise.all(answers.map((answer) => answerIds(prompt, answer, settings))),
    };
  }
  return {
    ids: [...ids, ...(await answerIds(prompt, answerStart, settings))],
    ...places,
    answers: await choiceIds(prompt, answerStart, rests, settings),
  };
}

/** The ids of continuations of the prompt and the start of an answer, one list each. */
async function choiceIds(
  prompt: string,
  answerStart: string,
  choices: readonly string[],
  settings: PromptSettings,
): Promise<number[][]> {
  const start = await answerIds(prompt, answerStart, settings);
  const whole = await Promise.all(choices.map((choice) => answerIds(prompt, answerStart + choice, settings)));
  return whole.map((ids) => ids.slice(start.length));
}

/**
 * A training sequence: loss on the answer and the end mark only.
 *
 * Question and answer together are cut to `maximumTokens`, as the reference system cuts them (`forward` of
 * `minigpt4/models/mini_gpt4.py`: begin token, image and the words before the question do not count). Of a question
 * that is as long as this or longer nothing is learned: `answerStart` is then the sequence's length. Of a fixed request
 * no word counts.
 */
export async function trainingSequence(
  prompt: string,
  answer: string,
  settings: SequenceSettings,
  kind?: 'request',
): Promise<TrainingSequence> {
  if (settings.form.tokenized === 'questionWithAnswer' && kind !== 'request') {
    return questionWithAnswer(prompt, answer, settings);
  }
  const { ids, imageStart } = await promptIds(prompt, settings);
  const uncounted = kind === 'request' ? ids.length : await tokensBeforeQuestion(ids, imageStart, settings);
  const limit = uncounted + settings.maximumTokens;
  const whole = [...ids, ...(await answerIds(prompt, answer, settings, settings.form.endMark))];
  const tokenIds = whole.slice(0, limit);
  return {
    tokenIds,
    imageStart,
    answerStart: Math.min(ids.length, tokenIds.length),
    cut: whole.length - tokenIds.length,
  };
}

/** Question and answer as one text: its first tokens, as many as the question has alone, count for no loss. */
async function questionWithAnswer(
  prompt: string,
  answer: string,
  settings: SequenceSettings,
): Promise<TrainingSequence> {
  const { form, tokenizer, maximumTokens } = settings;
  const [before = ''] = (prompt.includes(form.imageMark) ? form.turn : form.turnWithoutImage).split('{question}');
  const { ids, imageStart } = await promptIds(before, settings);
  const question = asPlainText(prompt.slice(before.length), form.imageMark);
  const [asked, whole] = await Promise.all([
    tokenizer.encode(question),
    tokenizer.encode(question + answerText(form.answerSeparator + answer, settings) + form.endMark),
  ]);
  const tokenIds = [...ids, ...whole.slice(0, maximumTokens)];
  return {
    tokenIds,
    imageStart,
    answerStart: Math.min(ids.length + asked.length, tokenIds.length),
    cut: Math.max(0, whole.length - maximumTokens),
  };
}

/** How many ids of a prompt come before the question: begin token, image, and the words of the family. */
async function tokensBeforeQuestion(
  ids: readonly number[],
  imageStart: number,
  settings: PromptSettings,
): Promise<number> {
  const { turn, turnWithoutImage } = settings.form;
  const [before = ''] = (imageStart < 0 ? turnWithoutImage : turn).split('{question}');
  return commonStart((await promptIds(before, settings)).ids, ids);
}
