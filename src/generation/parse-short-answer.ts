/** Answers of the teacher that are a question with a short answer. */
import { z } from 'zod';
import { structuredFormat } from '../teacher/teacher.ts';
import { filterParts, isRejection, type ParsedShortAnswer, type Rejection } from './filters.ts';
import { asLines, findNothingButBoxes, headings, plainLayout, splitByHeadings } from './parse-answer.ts';
import { stripBoxes } from './plain-text.ts';

const shortHeadings = headings.filter(([name]) => name !== 'choices');

/**
 * Parses an answer with three parts: question, short answer, explanation, in the variants that `parseAnswer` accepts. What says
 * that it is the answer, and a period after it, are removed; a box in it stays.
 *
 * @returns the parts, or why it can't be used
 */
export function parseShortAnswer(text: string): ParsedShortAnswer | Rejection {
  const plain = plainLayout(text);
  if (/^[ \t]*Choices:/m.test(plain)) {
    return { reason: 'choice_count', detail: 'has choices, though a short answer was requested' };
  }
  const parts = splitByHeadings(plain, shortHeadings);
  if (isRejection(parts)) return parts;
  const { question = '', answer = '', explanation = '' } = parts;
  const rejection = filterParts({ question, choices: [], explanation });
  if (rejection) return rejection;
  const parsed: ParsedShortAnswer = {
    question: stripBoxes(question),
    choices: [],
    answer: shortText(answer),
    explanation: stripBoxes(explanation),
  };
  return findNothingButBoxes(parsed) ?? parsed;
}

function shortText(answer: string): string {
  const line = answer.replace(/\s+/g, ' ').trim();
  return line.replace(/^the (?:correct |right )?answer is:?\s*/i, '').replace(/\.$/, '');
}

const structuredShortAnswer = z.object({
  skip_reason: z.string().nullable().describe('Why no good question can be made; null when there is one.'),
  question: z.string(),
  answer: z.string().describe('The short answer alone.'),
  explanation: z.string(),
});

/** For teachers that answer with structured output. */
export const shortSampleFormat = structuredFormat(structuredShortAnswer, 'short_sample');

/** The same, as models write it that are not held to the schema. */
const answerToRead = structuredShortAnswer.extend({
  skip_reason: z.string().nullish(),
  answer: z.union([z.string(), z.number()]).transform(String),
});

/**
 * Converts a structured answer to the three lines of a text answer, so that one parser works for both. Another text stays as
 * it is, without the reasoning and the code fence around it.
 */
export function asThreeParts(raw: string): string {
  return asLines(raw, answerToRead, ({ question, answer, explanation }) => [
    `Question: ${question}`,
    `Answer: ${answer}`,
    `Explanations: ${explanation}`,
  ]);
}
