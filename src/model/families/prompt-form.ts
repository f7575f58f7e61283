/** The words that a family of models puts around a question and its answer: plain data, so that a job can carry it. */
import { z } from 'zod';
import { asPlainText } from '../text/plain-text.ts';

export const promptFormSchema = z.strictObject({
  /** Stands in a prompt where the image's embeddings go. */
  imageMark: z.string(),
  /** Ends the answer; the model learns to write it. */
  endMark: z.string(),
  /** Between the prompt and the answer. */
  answerSeparator: z.string(),
  /**
   * How a prompt becomes tokens, which differs for tokenizers that put a space before every text: what is before
   * and behind the image and the answer each for itself, or all as one text, or as `apart`, but with a question and its answer
   * as one text: a token may then hold the end of the prompt and the start of the answer, and is not learned.
   */
  tokenized: z.enum(['apart', 'together', 'questionWithAnswer']),
  /** The words around a question about an image whose answers are ranked, where they differ; no begin token comes first. */
  rankedTurn: z.string().optional(),
  /** A question about an image, up to where the answer starts; `{question}` stands for the question. */
  turn: z.string(),
  /** The same without an image: the answer can only be known from the words. */
  turnWithoutImage: z.string(),
  /** Whether spaces and line breaks at the end of a question are left out. */
  trimsQuestion: z.boolean(),
  /** What conversations need beside this. Without it a sample has one question, and no system prompt. */
  conversation: z
    .strictObject({
      /** What comes before the first turn where there is a system prompt; `{system}` stands for it. */
      system: z.string(),
      /** What stands for each image of a turn, before its question. */
      image: z.string(),
      /** A question behind an answer and what ends it, up to where its answer starts. */
      laterTurn: z.string(),
    })
    .optional(),
});

export type PromptForm = z.output<typeof promptFormSchema>;

/** Where texts are split before they are tokenized: see `model.tokenBoundaries` of the config. */
export type TokenBoundaries = 'separate' | 'reference';

/**
 * What the model reads before it answers. An image mark in the question's own words is text.
 *
 * @param plainText the tokenizer's, which keeps its special tokens out of the question's words
 */
export function questionTurn(
  form: PromptForm,
  question: string,
  { withImage, plainText = (text) => text }: { withImage: boolean; plainText?: (text: string) => string },
): string {
  const turn = withImage ? form.turn : form.turnWithoutImage;
  // A function, since a string would have its dollar signs replaced.
  const text = asPlainText(plainText(form.trimsQuestion ? question.trimEnd() : question), form.imageMark);
  return turn.replace('{question}', () => text);
}

/**
 * What the model reads of a turn of the user's in a conversation, up to where its answer starts. All images are shown before the
 * words.
 *
 * @param turn.system of the first turn: the system prompt
 * @param turn.images how many images the turn has
 */
export function conversationTurn(
  { conversation, ...form }: PromptForm,
  {
    question,
    system,
    images,
    isFirst,
  }: { question: string; system?: string | undefined; images: number; isFirst: boolean },
  plainText: (text: string) => string = (text) => text,
): string {
  if (conversation === undefined) throw new Error('the family has no form for conversations');
  const around = isFirst ? form.turnWithoutImage : conversation.laterTurn;
  const turnWithoutImage = around.replace('{question}', () => `${conversation.image.repeat(images)}{question}`);
  const turn = questionTurn({ ...form, turnWithoutImage }, question, { withImage: false, plainText });
  if (system === undefined) return turn;
  return conversation.system.replace('{system}', () => asPlainText(plainText(system), form.imageMark)) + turn;
}
