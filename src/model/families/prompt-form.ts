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
   * and behind the image and the answer each for itself, or all as one text.
   */
  tokenized: z.enum(['apart', 'together']),
  /** A question about an image, up to where the answer starts; `{question}` stands for the question. */
  turn: z.string(),
  /** The same without an image: the answer can only be known from the words. */
  turnWithoutImage: z.string(),
  /** Whether spaces and line breaks at the end of a question are left out. */
  trimsQuestion: z.boolean(),
});

export type PromptForm = z.output<typeof promptFormSchema>;

/** What the model reads before it answers. An image mark in the question's own words is text. */
export function questionTurn(form: PromptForm, question: string, { withImage }: { withImage: boolean }): string {
  const turn = withImage ? form.turn : form.turnWithoutImage;
  // A function, since a string would have its dollar signs replaced.
  const text = asPlainText(form.trimsQuestion ? question.trimEnd() : question, form.imageMark);
  return turn.replace('{question}', () => text);
}
