import { z } from 'zod';
import { withoutFence, withoutReasoning } from '../teacher/answer-text.ts';
import { isCut } from '../teacher/read-completion.ts';
import { structuredFormat } from '../teacher/teacher.ts';
import { answerLetters, filterParts, isRejection, type ParsedAnswer, type Rejection } from './filters.ts';
import { plainText, stripBoxes, wordsOf } from './plain-text.ts';

/**
 * Must be raised whenever the parser or a filter treats some answer differently. The step `refine` depends on it: after
 * an update of this program it runs again on the raw answers, at no cost.
 */
export const parserVersion = 8;

/**
 * Parses an answer of the teacher: question, two to five choices from (A) on, the letter of the correct one, and
 * an explanation. A period at the end of a choice is removed, as are boxes everywhere. Accepts the variants of other models
 * than GPT-4: bold headings, `A)` or `A.` instead of `(A)`, full-width brackets and colons; headings within a line; another
 * heading of the explanation, or none when it is the last line.
 *
 * @returns the parts, or why it can't be used
 */
export function parseAnswer(text: string): ParsedAnswer | Rejection {
  const parts = splitParts(plainLayout(text));
  if (isRejection(parts)) return parts;

  const choices = splitChoices(parts.choices);
  if (isRejection(choices)) return choices;
  const correctChoiceIndex = findAnswer(parts.answer, choices.length);
  if (isRejection(correctChoiceIndex)) return correctChoiceIndex;
  const rejection = filterParts({ ...parts, choices });
  if (rejection) return rejection;

  const parsed: ParsedAnswer = {
    question: stripBoxes(parts.question),
    choices: choices.map((choice) => dropPeriod(stripBoxes(dropPeriod(choice)))),
    correctChoiceIndex,
    explanation: stripBoxes(parts.explanation),
  };
  return findDefect(parsed) ?? findOtherAnswer(parsed, stripBoxes(parts.answer)) ?? parsed;
}

interface Parts {
  question: string;
  choices: string;
  answer: string;
  explanation: string;
}

const explanationHeading = 'Explanations?|Explainations?|Reason(?:ing)?|Lecture|Explanatory note';

type Heading = readonly [name: keyof Parts, pattern: string];

export const headings: readonly Heading[] = [
  ['question', 'Question'],
  ['choices', 'Choices'],
  ['answer', 'Answer'],
  ['explanation', explanationHeading],
];

const decoratedHeading = new RegExp(
  `^[ \\t]*(?:[#>]+[ \\t]*)?[*_]*(Question|Choices|Answer|${explanationHeading})[*_]*[ \\t]*[:：][*_]*`,
  'gm',
);
const boldHeading = new RegExp(
  String.raw`\*\*(Question|Choices|Answer|${explanationHeading})(?:\*\*[:：]|[:：]\*\*)`,
  'g',
);

/** The text with headings and letters as an answer should have them. */
export function plainLayout(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replace(decoratedHeading, '$1: ')
    .replace(boldHeading, '$1: ')
    .replace(/（\s*([A-Za-z])\s*）/g, ' ($1) ');
}

interface PartStart {
  name: keyof Parts;
  start: number;
  contentStart: number;
}

function splitParts(text: string): Parts | Rejection {
  return splitByHeadings(text, headings) as Parts | Rejection;
}

/** The parts that have these headings, in their order. */
export function splitByHeadings(text: string, wanted: readonly Heading[]): Partial<Parts> | Rejection {
  const starts: PartStart[] = [];
  for (const [name, pattern] of wanted) {
    const matches = findHeading(text, pattern);
    const [match] = matches;
    if (matches.length > 1) return { reason: 'missing_part', detail: `more than one ${name}` };
    const start = match
      ? { name, start: match.index, contentStart: match.index + match[0].length }
      : name === 'explanation' && lastLine(text, starts.at(-1));
    if (!start) return { reason: 'missing_part', detail: `no ${name}` };
    starts.push(start);
  }
  const parts: Partial<Parts> = {};
  for (const [index, { name, start, contentStart }] of starts.entries()) {
    const next = starts[index + 1]?.start ?? text.length;
    if (next < contentStart) return { reason: 'missing_part', detail: `the ${name} is not in its place` };
    const content = text.slice(contentStart, next).trim();
    if (content === '') return { reason: 'missing_part', detail: `the ${name} is empty` };
    parts[name] = name === 'explanation' ? text.slice(start, next).trim() : content;
  }
  return parts;
}

/** Headings that start a line, since a text may contain "Answer:"; where there is none, those within a line. */
function findHeading(text: string, pattern: string): RegExpExecArray[] {
  const atLineStart = [...text.matchAll(new RegExp(`^[ \\t]*(?:${pattern}):`, 'gm'))];
  return atLineStart.length > 0 ? atLineStart : [...text.matchAll(new RegExp(`\\b(?:${pattern}):`, 'g'))];
}

/** An explanation without a heading: the last line, as the reference system takes it, when it follows the answer's line. */
function lastLine(text: string, answer: PartStart | undefined): PartStart | undefined {
  const start = text.trimEnd().lastIndexOf('\n') + 1;
  if (answer === undefined || text.slice(answer.contentStart, start).trim() === '') return undefined;
  return { name: 'explanation', start, contentStart: start };
}

function splitChoices(text: string): string[] | Rejection {
  const pieces = withRoundBrackets(text).split(/(?:^|\s)\(([A-Z])\)/);
  const letters = pieces.filter((_, index) => index % 2 === 1).join('');
  const choices = pieces.filter((_, index) => index > 0 && index % 2 === 0).map((choice) => choice.trim());
  if (letters.length < 2 || !answerLetters.startsWith(letters) || pieces[0]?.trim() !== '') {
    return { reason: 'choice_count', detail: `choices are ${letters || 'not lettered'}, not two to five from A on` };
  }
  return choices;
}

// "A." counts at the start of a line only: elsewhere it may end a sentence.
function withRoundBrackets(text: string): string {
  if (/(?:^|\s)\([A-Z]\)/.test(text)) return text;
  return text.replace(/^[ \t]*(?:[-*•][ \t]*)?([A-Z])[.:][ \t]+/gm, '($1) ').replace(/(^|\s)([A-Z])\)\s/g, '$1($2) ');
}

function findAnswer(text: string, choiceCount: number): number | Rejection {
  const bracketed = Array.from(text.matchAll(/\(([A-Za-z])\)/g), (match) => match[1] as string);
  const bare = /^(?:The (?:correct |right )?answer is:?\s*)?([A-Z])(?:[).:]|$)/i.exec(text)?.[1];
  const letters = new Set((bracketed.length > 0 || !bare ? bracketed : [bare]).map((letter) => letter.toUpperCase()));
  const [letter] = letters;
  const index = letters.size === 1 && letter ? answerLetters.indexOf(letter) : -1;
  return index >= 0 && index < choiceCount ? index : { reason: 'answer_not_among_choices', detail: text };
}

/** The words after the letter, if any, must be those of the choice. */
function findOtherAnswer({ choices, correctChoiceIndex }: ParsedAnswer, answer: string): Rejection | undefined {
  const said = plainText(/(?:\([A-Za-z]\)|\b[A-E][).:])\s*:?(.*)$/s.exec(answer)?.[1] ?? '');
  const own = plainText(choices[correctChoiceIndex] as string);
  if (said === '' || said.startsWith(own) || own.startsWith(said)) return undefined;
  const other = choices.find((choice) => said === plainText(choice));
  if (other !== undefined) return { reason: 'two_answers', detail: answer };
  const words = new Set(wordsOf(said));
  if (/^(?:because|since|as)\b/.test(said) || wordsOf(own).some((word) => words.has(word))) return undefined;
  return { reason: 'answer_not_among_choices', detail: answer };
}

function findDefect({ question, choices, explanation }: ParsedAnswer): Rejection | undefined {
  const missing = findNothingButBoxes({ question, explanation });
  if (missing) return missing;
  const empty = choices.indexOf('');
  if (empty >= 0) return { reason: 'missing_part', detail: `choice (${answerLetters[empty]}) is empty` };
  if (new Set(choices.map(plainText)).size < choices.length) {
    return { reason: 'choices_not_distinct', detail: choices.join(' | ') };
  }
  return undefined;
}

/** A part of which nothing was left without its boxes. */
export function findNothingButBoxes({ question, explanation }: Pick<ParsedAnswer, 'question' | 'explanation'>) {
  const missing = (part: string): Rejection => ({ reason: 'missing_part', detail: `the ${part} is nothing but boxes` });
  if (question === '') return missing('question');
  return explanation === '' || /:\s*$/.test(explanation) ? missing('explanation') : undefined;
}

function dropPeriod(text: string): string {
  return text.replace(/\.$/, '');
}

/** An answer with structured output: the four parts as fields, or why there is none. */
export const structuredAnswer = z.object({
  skip_reason: z.string().nullable().describe('Why no good question can be made; null when there is one.'),
  question: z.string(),
  choices: z.array(z.string()).describe('Exactly four, without letters.'),
  answer: z.enum(['A', 'B', 'C', 'D']).describe('The letter of the correct choice.'),
  explanation: z.string(),
});
/** For teachers that answer with structured output. */
export const sampleFormat = structuredFormat(structuredAnswer, 'sample');

export type StructuredAnswer = z.output<typeof structuredAnswer>;

/** The same, as models write it that are not held to the schema. */
const answerToRead = structuredAnswer.extend({
  skip_reason: z.string().nullish(),
  answer: z.enum([...answerLetters] as [string, ...string[]]),
});

/** Words of models for a value that they were told to leave out. */
const noReason = /^\s*(?:null|none|n\/a)?\s*\.?\s*$/i;

/**
 * Converts a structured answer to the four lines of a text answer, so that one parser and one set of filters work for
 * both. Another text stays as it is, without the reasoning and the code fence around it.
 */
export function asFourParts(raw: string): string {
  return asLines(raw, answerToRead, ({ question, choices, answer, explanation }) => [
    `Question: ${question}`,
    `Choices: ${choices.map((choice, place) => `(${String.fromCharCode(65 + place)}) ${choice}`).join(' ')}`,
    `Answer: The answer is (${answer}): ${choices[answerLetters.indexOf(answer)] ?? ''}.`,
    `Explanations: ${explanation}`,
  ]);
}

/** A structured answer as lines, one of a part or the reason why there is none; another text as `asFourParts` leaves it. */
export function asLines<Answer extends { skip_reason?: string | null | undefined }>(
  raw: string,
  schema: z.ZodType<Answer>,
  linesOf: (answer: Answer) => string[],
): string {
  const text = withoutFence(withoutReasoning(raw));
  if (!text.trimStart().startsWith('{')) return text;
  const answer = readStructured(text, schema);
  // The key's name would count as the word "skip".
  if (!answer) return text.replace(/"skip_reason"\s*:\s*(?:null|"")\s*,?/, '');
  if (!noReason.test(answer.skip_reason ?? '')) return `Skip: ${answer.skip_reason}`;
  return linesOf(answer).join('\n');
}

/** Why an answer is no whole answer: the teacher refused it, a filter stopped it, or its longest length did. */
export function findUnfinished({
  finish_reason,
  refusal,
}: {
  finish_reason?: string | undefined;
  refusal?: string | undefined;
}): Rejection | undefined {
  if (refusal !== undefined) return { reason: 'refused', detail: refusal };
  if (!isCut(finish_reason)) return undefined;
  return { reason: 'truncated', detail: `finish_reason ${finish_reason}: longer than teacher.maximumTokens` };
}

function readStructured<Answer>(text: string, schema: z.ZodType<Answer>): Answer | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
