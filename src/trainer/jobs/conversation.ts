/** A training sample as the model reads it, whether it is one question or a conversation. */
import path from 'node:path';
import { InputError } from '../../core/input-error.ts';
import { imagesOf, type TrainingSample, type Turn, turnImages, turnText } from '../../datasets/train-dataset.ts';
import { conversationTurn, type PromptForm } from '../../model/families/prompt-form.ts';
import { asPlainText } from '../../model/text/plain-text.ts';
import { type BatchShape, imageCount, imagesIn } from './batch.ts';
import {
  commonStart,
  type PromptSettings,
  promptOf,
  type Sequence,
  type SequenceSettings,
  type TrainingSequence,
  trainingSequence,
} from './sequence.ts';

/** The sequence of a sample. See `trainingSequence` and `conversationSequence`. */
export function sampleSequence(sample: TrainingSample, settings: SequenceSettings): Promise<TrainingSequence> {
  if ('turns' in sample) return conversationSequence(sample.turns, settings);
  const { image, prompt, answer, kind } = sample;
  return trainingSequence(promptOf(prompt, settings, image === undefined ? 0 : 1), answer, settings, kind);
}

/** The files of the images that the sequences of samples have places for; undefined for a sequence without one. */
export function shownImages(
  samples: readonly TrainingSample[],
  sequences: readonly Sequence[],
): (string | undefined)[][] {
  return samples.map((sample, index) => {
    const files = imagesOf(sample).slice(0, imageCount(sequences[index] as Sequence));
    return files.length === 0 ? [undefined] : files;
  });
}

/** The images of a batch one after another, with none in the room that its shape has for more. */
export function imagesFor(shown: readonly (string | undefined)[][], shape: BatchShape): (string | undefined)[] {
  const files = shown.flat();
  return [...files, ...new Array<undefined>(imagesIn(shape) - files.length).fill(undefined)];
}

/** @throws InputError for a model that conversations are not supported of */
export function requireConversations(
  file: string,
  samples: readonly TrainingSample[],
  form: PromptForm,
  model: string,
): void {
  const place = samples.findIndex((sample) => 'turns' in sample);
  if (place < 0 || form.conversation !== undefined) return;
  throw new InputError({
    file,
    line: place + 1,
    field: 'turns',
    problem: `${path.basename(model)} is not trained on several turns, a system prompt or several images: its words for them are not known with model.tokenBoundaries: reference, nor for a family without a form for conversations`,
    remedy: 'Set model.tokenBoundaries: separate, or leave such records out of data.train',
  });
}

/** What one side says, with the words of the family around it. */
export interface Piece {
  text: string;
  isLearned: boolean;
}

/** Stands for an image among ids. */
const IMAGE = -1;

/**
 * A conversation: loss on each answer and what ends it, but for turns that are left out.
 *
 * It is cut to `maximumTokens` behind the words of the family before the first question; a system prompt counts, the places of
 * images do not.
 */
export async function conversationSequence(
  turns: readonly Turn[],
  settings: SequenceSettings,
): Promise<TrainingSequence> {
  const { beginToken, queries, tokenizer, form, maximumTokens } = settings;
  const pieces = conversationPieces(turns, form, tokenizer.plainText);
  const { ids, ends } = await encoded(pieces, settings);
  const limit = (await tokensOfFamily(turns, settings)) + maximumTokens;
  const mark = tokenizer.tokenId(form.imageMark) ?? 0;

  const tokenIds = [beginToken];
  const images: number[] = [];
  /** Where each of `ids`, and their end, is in `tokenIds`. */
  const places: number[] = [];
  let words = 0;
  for (const id of ids) {
    places.push(tokenIds.length);
    if (words >= limit) continue;
    if (id === IMAGE) {
      images.push(tokenIds.length);
      tokenIds.push(...new Array<number>(queries).fill(mark));
    } else {
      tokenIds.push(id);
      words += 1;
    }
  }
  places.push(tokenIds.length);
  const learned = pieces.flatMap(({ isLearned }, index): [number, number][] => {
    const range: [number, number] = [places[ends[index - 1] ?? 0] as number, places[ends[index] as number] as number];
    return isLearned && range[0] < range[1] ? [range] : [];
  });
  const starts = [...learned.slice(1).map(([start]) => start), tokenIds.length];
  const unlearned = learned.flatMap(([, end], index): [number, number][] => {
    const next = starts[index] as number;
    return end < next ? [[end, next]] : [];
  });
  const [imageStart = -1, ...laterImages] = images;
  return {
    tokenIds,
    imageStart,
    answerStart: learned[0]?.[0] ?? tokenIds.length,
    ...(laterImages.length > 0 && { laterImages }),
    ...(unlearned.length > 0 && { unlearned }),
    cut: Math.max(0, ids.filter((id) => id !== IMAGE).length - limit),
  };
}

/**
 * The ids of a whole conversation, which may end with a question: then an answer starts behind them.
 *
 * @param options.openEnd whether an answer that it ends with has no end mark
 * @returns with the places of the first embedding of each image
 */
export async function conversationIds(
  turns: readonly Turn[],
  settings: PromptSettings,
  { openEnd = false }: { openEnd?: boolean } = {},
): Promise<{ tokenIds: number[]; images: number[] }> {
  const { beginToken, queries, tokenizer, form } = settings;
  const pieces = conversationPieces(turns, form, tokenizer.plainText);
  const last = pieces.at(-1);
  if (openEnd && last && turns.at(-1)?.role === 'assistant')
    last.text = last.text.slice(0, -form.endMark.length || undefined);
  const { ids } = await encoded(pieces, settings);
  const mark = tokenizer.tokenId(form.imageMark) ?? 0;
  const tokenIds = [beginToken];
  const images: number[] = [];
  for (const id of ids) {
    if (id === IMAGE) images.push(tokenIds.length);
    tokenIds.push(...(id === IMAGE ? new Array<number>(queries).fill(mark) : [id]));
  }
  return { tokenIds, images };
}

/**
 * A conversation in the words of its family: a piece for each turn, the system prompt with the first of the user's.
 *
 * @param plainText the tokenizer's, which keeps its special tokens out of the words
 */
export function conversationPieces(
  turns: readonly Turn[],
  form: PromptForm,
  plainText: (text: string) => string = (text) => text,
): Piece[] {
  const [first] = turns;
  const system = first?.role === 'system' ? turnText(first) : undefined;
  let isFirst = true;
  return turns.flatMap((turn): Piece[] => {
    if (turn.role === 'system') return [];
    if (turn.role === 'assistant') {
      const answer = asPlainText(plainText(form.answerSeparator + turnText(turn)), form.imageMark);
      return [{ text: answer + form.endMark, isLearned: turn.learned !== false }];
    }
    const shown = { question: turnText(turn), images: turnImages(turn).length, isFirst };
    const text = conversationTurn(form, { ...shown, ...(isFirst && { system }) }, plainText);
    isFirst = false;
    return [{ text, isLearned: false }];
  });
}

/** Ids of pieces of text behind the begin token, each image as `IMAGE`, and where each piece ends among them. */
async function encoded(
  pieces: readonly Pick<Piece, 'text'>[],
  settings: PromptSettings,
): Promise<{ ids: number[]; ends: number[] }> {
  const { tokenizer, form } = settings;
  if (form.tokenized === 'together') {
    const mark = tokenizer.tokenId(form.imageMark);
    const encode = async (text: string) => (await tokenizer.encode(text)).map((id) => (id === mark ? IMAGE : id));
    const texts = pieces.map((_, index) =>
      pieces
        .slice(0, index + 1)
        .map(({ text }) => text)
        .join(''),
    );
    const starts = await Promise.all(texts.map(encode));
    const ids = starts.at(-1) ?? [];
    return { ids, ends: starts.map((start) => commonStart(start, ids)) };
  }
  const ids: number[] = [];
  const ends: number[] = [];
  for (const { text } of pieces) {
    for (const [index, part] of text.split(form.imageMark).entries()) {
      if (index > 0) ids.push(IMAGE);
      ids.push(...(await tokenizer.encode(part)));
    }
    ends.push(ids.length);
  }
  return { ids, ends };
}

/** How many ids the family has before the question of a first turn without a system prompt, images not counted. */
async function tokensOfFamily(turns: readonly Turn[], settings: SequenceSettings): Promise<number> {
  const [turn] = turns.filter(({ role }) => role === 'user');
  if (turn === undefined) return 0;
  const { form, tokenizer } = settings;
  const shown = { images: turnImages(turn).length, isFirst: true };
  const asked = conversationTurn(form, { ...shown, question: turnText(turn) }, tokenizer.plainText);
  const [behind = ''] = form.turnWithoutImage.split('{question}').slice(-1);
  const before = conversationTurn(form, { ...shown, question: '' }).slice(0, -behind.length || undefined);
  const [whole, start] = await Promise.all(
    [asked, before].map(async (text) => (await encoded([{ text }], settings)).ids),
  );
  const common = (whole ?? []).slice(0, commonStart(start ?? [], whole ?? []));
  return common.filter((id) => id !== IMAGE).length;
}
