/** One sample as the model reads it: token ids with places for the picture. */
import type { Tokenizer } from '../model/text/tokenizer.ts';

/** Stands in a prompt where the picture's embeddings go. */
export const PICTURE_MARK = '<ImageHere>';
/** Ends every turn; the model learns to write it. */
export const END_MARK = '###';

export interface Sequence {
  tokenIds: number[];
  /** Place of the first picture embedding, or -1 where the prompt shows no picture. */
  pictureStart: number;
  /** Index of the first token the loss is on; everything from here to the end counts. */
  answerStart: number;
}

export interface SequenceSettings {
  tokenizer: Tokenizer;
  /** Picture embeddings that the mark stands for. */
  queries: number;
  /** Text tokens (picture places not counted) after which a sequence is cut. */
  maximumTokens: number;
  beginToken: number;
}

/** A prompt as ids: begin token, text, `queries` places for the picture, text. */
export function promptIds(
  prompt: string,
  { tokenizer, queries, beginToken }: Omit<SequenceSettings, 'maximumTokens'>,
): { ids: number[]; pictureStart: number } {
  const [before, after] = prompt.split(PICTURE_MARK) as [string, string | undefined];
  const start = [beginToken, ...tokenizer.encode(before)];
  if (after === undefined) return { ids: start, pictureStart: -1 };
  const mark = tokenizer.tokenId(PICTURE_MARK) ?? 0;
  const places = new Array<number>(queries).fill(mark);
  return { ids: [...start, ...places, ...tokenizer.encode(after)], pictureStart: start.length };
}

/**
 * A training sequence: loss on the answer and the end mark only.
 *
 * @throws RangeError when the prompt alone is longer than the limit, so that nothing would be learned.
 */
export function trainingSequence(prompt: string, answer: string, settings: SequenceSettings): Sequence {
  const { ids, pictureStart } = promptIds(prompt, settings);
  const limit = settings.maximumTokens + (pictureStart < 0 ? 0 : settings.queries);
  if (ids.length >= limit) {
    throw new RangeError(`the prompt has ${ids.length} tokens; with a limit of ${limit} no answer would be left`);
  }
  const answered = [...ids, ...settings.tokenizer.encode(answer + END_MARK)];
  return { tokenIds: answered.slice(0, limit), pictureStart, answerStart: ids.length };
}
