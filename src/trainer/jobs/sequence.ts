/** One sample as the model reads it: token ids with places for the image. */
import path from 'node:path';
import { InputError } from '../../core/input-error.ts';
import { familyOf } from '../../model/families/index.ts';
import type { PromptForm } from '../../model/families/prompt-form.ts';
import type { ModelDirectory } from '../../model/files/model-directory.ts';
import type { Tokenizer } from '../../model/text/tokenizer.ts';

export interface Sequence {
  tokenIds: number[];
  /** Place of the first image embedding, or -1 where the prompt shows no image. */
  imageStart: number;
  /** Index of the first token the loss is on; everything from here to the end counts. */
  answerStart: number;
}

/** How a model's prompts become ids. */
export interface PromptSettings {
  tokenizer: Tokenizer;
  /** Image embeddings that the mark stands for. */
  queries: number;
  beginToken: number;
  form: PromptForm;
}

export interface SequenceSettings extends PromptSettings {
  /** Text tokens (image places not counted) after which a sequence is cut. */
  maximumTokens: number;
}

/**
 * The settings of a model's family.
 *
 * @throws InputError for a tokenizer without the token that the family's image mark needs
 */
export function promptSettings(model: ModelDirectory, tokenizer: Tokenizer): PromptSettings {
  const family = familyOf(model.config);
  const form = family.promptForm;
  if (form.tokenized === 'together' && tokenizer.tokenId(form.imageMark) === undefined) {
    throw new InputError({
      file: path.join(model.directory, 'tokenizer.json'),
      field: form.imageMark,
      problem: 'is no token of this tokenizer',
      remedy: `Add ${form.imageMark} to its special tokens, or take the tokenizer that belongs to the model`,
    });
  }
  return {
    tokenizer,
    queries: family.imageTokens,
    beginToken: model.config.text_config.bos_token_id ?? 1,
    form,
  };
}

/** A prompt as ids: begin token, text, `queries` places for the image, text. */
export function promptIds(prompt: string, settings: PromptSettings): { ids: number[]; imageStart: number } {
  const { tokenizer, queries, beginToken, form } = settings;
  const mark = tokenizer.tokenId(form.imageMark) ?? 0;
  const places = new Array<number>(queries).fill(mark);
  const withPlaces = (before: readonly number[], after: readonly number[]) => ({
    ids: [beginToken, ...before, ...places, ...after],
    imageStart: before.length + 1,
  });
  if (form.tokenized === 'together') {
    const ids = tokenizer.encode(prompt);
    const at = ids.indexOf(mark);
    return at < 0 ? { ids: [beginToken, ...ids], imageStart: -1 } : withPlaces(ids.slice(0, at), ids.slice(at + 1));
  }
  const [before, after] = prompt.split(form.imageMark) as [string, string | undefined];
  if (after === undefined) return { ids: [beginToken, ...tokenizer.encode(before)], imageStart: -1 };
  return withPlaces(tokenizer.encode(before), tokenizer.encode(after));
}

/**
 * The ids of a text that follows another one. A tokenizer that puts a space before every text would put one
 * into the middle were the second text given to it alone.
 */
function continuationIds(tokenizer: Tokenizer, before: string, text: string): number[] {
  const start = tokenizer.encode(before);
  const whole = tokenizer.encode(before + text);
  const differs = start.findIndex((id, index) => id !== whole[index]);
  return whole.slice(differs < 0 ? start.length : differs);
}

/** The ids of an answer, or of its beginning, after a prompt. */
export function answerIds(prompt: string, answer: string, settings: PromptSettings): number[] {
  const { tokenizer, form } = settings;
  if (form.tokenized === 'apart') return tokenizer.encode(form.answerSeparator + answer);
  return continuationIds(tokenizer, prompt, form.answerSeparator + answer);
}

/** The ids of continuations of the prompt and the start of an answer, one list each. */
export function choiceIds(
  prompt: string,
  answerStart: string,
  choices: readonly string[],
  settings: PromptSettings,
): number[][] {
  const start = answerIds(prompt, answerStart, settings);
  return choices.map((choice) => answerIds(prompt, answerStart + choice, settings).slice(start.length));
}

/**
 * A training sequence: loss on the answer and the end mark only.
 *
 * @throws RangeError when the prompt alone is longer than the limit, so that nothing would be learned.
 */
export function trainingSequence(prompt: string, answer: string, settings: SequenceSettings): Sequence {
  const { ids, imageStart } = promptIds(prompt, settings);
  const limit = settings.maximumTokens + (imageStart < 0 ? 0 : settings.queries);
  if (ids.length >= limit) {
    throw new RangeError(`the prompt has ${ids.length} tokens; with a limit of ${limit} no answer would be left`);
  }
  const answered = [...ids, ...answerIds(prompt, answer + settings.form.endMark, settings)];
  return { tokenIds: answered.slice(0, limit), imageStart, answerStart: ids.length };
}
