import { z } from 'zod';
import { structuredFormat } from './teacher.ts';

/** What the teacher writes with structured output: the four parts of an answer as fields, or why there is none. */
export const structuredAnswer = z.object({
  skip_reason: z.string().nullable().describe('Why no good question can be made; null when there is one.'),
  question: z.string(),
  choices: z.array(z.string()).describe('Exactly four, without letters.'),
  answer: z.enum(['A', 'B', 'C', 'D']).describe('The letter of the correct choice.'),
  explanation: z.string(),
});
/** For teachers that are to write samples so. */
export const sampleFormat = structuredFormat(structuredAnswer, 'sample');

export type StructuredAnswer = z.output<typeof structuredAnswer>;

/**
 * The answer as the four lines that the text prompt asks for, so that one parser and one set of filters serve both
 * modes. A text that is not a structured answer is returned as it is.
 */
export function asFourParts(text: string): string {
  if (!text.trimStart().startsWith('{')) return text;
  const answer = readStructuredAnswer(text);
  if (!answer) return text;
  if (answer.skip_reason !== null) return `Skip: ${answer.skip_reason}`;
  const letters = 'ABCDEFGH';
  const index = letters.indexOf(answer.answer);
  return [
    `Question: ${answer.question}`,
    `Choices: ${answer.choices.map((choice, place) => `(${letters[place]}) ${choice}`).join(' ')}`,
    `Answer: The answer is (${answer.answer}): ${answer.choices[index] ?? ''}.`,
    `Explanations: ${answer.explanation}`,
  ].join('\n');
}

function readStructuredAnswer(text: string): StructuredAnswer | undefined {
  try {
    return structuredAnswer.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
