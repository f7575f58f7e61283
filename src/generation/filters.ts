import { z } from 'zod';
import { describeFirstIssue } from '../core/input-error.ts';
import { findChatMark, findHidden } from './chat-marks.ts';
import { plainText } from './plain-text.ts';

/** Why an answer of the teacher can't be used for training. */
export type RejectionReason =
  // The reference system's filters.
  | 'skip'
  | 'coordinates'
  | 'located_at_box'
  | 'description'
  // There is no whole answer.
  | 'refused'
  | 'truncated'
  // It can't be parsed into a question with choices and one answer.
  | 'missing_part'
  | 'choice_count'
  | 'choices_not_distinct'
  | 'answer_not_among_choices'
  | 'two_answers'
  // Its parts make no valid sample.
  | 'not_a_sample'
  | 'not_scorable'
  | 'too_long'
  | 'prompt_text'
  | 'chat_mark'
  | 'hidden_characters'
  | 'choice_about_choices'
  | 'explanation_contradicts_answer'
  // It exists already, or must not be learned.
  | 'duplicate'
  | 'near_duplicate'
  | 'asked_too_often'
  | 'evaluation_image'
  | 'evaluation_question'
  // The teacher itself answers otherwise, or needs no image for it.
  | 'teacher_disagrees'
  | 'needs_no_image'
  // The model finds it too easy or too hard, or enough others fit.
  | 'too_easy'
  | 'too_hard'
  | 'more_than_requested';

/** A reason, with the words of the answer that it refers to. */
export interface Rejection {
  reason: RejectionReason;
  detail: string;
}

/** Whether a result is a rejection. */
export function isRejection(result: unknown): result is Rejection {
  return typeof result === 'object' && result !== null && 'reason' in result && 'detail' in result;
}

/** The letters that an answer's choices may have: four are asked for, two to five are taken, as the reference system takes. */
export const answerLetters = 'ABCDE';

/** The parts of an answer, boxes removed. */
export interface ParsedAnswer {
  question: string;
  /** Two to five. */
  choices: string[];
  correctChoiceIndex: number;
  /** With its heading ("Explanation:" or "Explanations:"), as the reference system's training data has it. */
  explanation: string;
}

/** The parts of an answer that is a question with a short answer. */
export interface ParsedShortAnswer {
  question: string;
  choices: readonly [];
  answer: string;
  explanation: string;
}

/** What was made of an answer of the teacher. */
export type Parsed = ParsedAnswer | ParsedShortAnswer;

/** Whether it is a question with a short answer. */
export function isShortAnswer(parsed: Parsed): parsed is ParsedShortAnswer {
  return 'answer' in parsed;
}

/** What a sample is compared by with others: a short answer stands where the choices do. */
export function listedAnswers(parsed: Parsed): readonly string[] {
  return isShortAnswer(parsed) ? [parsed.answer] : parsed.choices;
}

/**
 * The reference system's filters of the raw text: an answer that mentions coordinates or bounding boxes (which the image
 * does not show), or that says skip.
 */
export function filterRawAnswer(text: string): Rejection | undefined {
  return (
    found('coordinates', /.{0,30}(?:coordinate|bounding box).{0,30}/, text) ??
    found('skip', /.{0,30}[sS]kip.{0,30}/, text)
  );
}

/**
 * The reference system's filters of the parts: a box instead of words ("located at [0.1, ..."), in the text before boxes
 * are removed, and an explanation that mentions a description instead of the image.
 */
export function filterParts(parts: {
  question: string;
  choices: readonly string[];
  explanation: string;
}): Rejection | undefined {
  const texts = [parts.question, ...parts.choices, parts.explanation];
  return (
    texts.map((text) => found('located_at_box', /located at\s*\[.{0,30}/, text)).find(Boolean) ??
    found('description', /.{0,30}description.{0,30}/i, parts.explanation)
  );
}

function found(reason: RejectionReason, pattern: RegExp, text: string): Rejection | undefined {
  const match = pattern.exec(text);
  return match ? { reason, detail: match[0].trim() } : undefined;
}

const words = (maximum: number) =>
  z
    .string()
    .regex(/[\p{L}\p{N}]/u, 'has no word')
    .max(maximum);

/** The form of a sample. The longest of A-OKVQA's own are half as long; longer ones would be cut anyway. */
const sampleSchema = z.object({
  question: words(300),
  choices: z.array(z.string().regex(/\S/).max(150)).min(2).max(answerLetters.length),
  explanation: words(2000),
});

/** The same with a short answer, which a list or an object may be. */
const shortSampleSchema = sampleSchema.omit({ choices: true }).extend({ answer: z.string().regex(/\S/).max(1000) });

/**
 * The checks of a parsed answer after the reference system's filters: lengths, text of a prompt instead of an image,
 * choices about other choices, and an explanation for another choice than the answer.
 *
 * @returns why it can't be used, or undefined
 */
export function checkSample(parsed: Parsed): Rejection | undefined {
  const fit = (isShortAnswer(parsed) ? shortSampleSchema : sampleSchema).safeParse(parsed);
  if (!fit.success) {
    const { field, problem } = describeFirstIssue(fit.error);
    return { reason: 'not_a_sample', detail: `${field}: ${problem}` };
  }
  if (isShortAnswer(parsed)) return findPromptText(parsed);
  return findPromptText(parsed) ?? findChoiceAboutChoices(parsed) ?? findContradiction(parsed);
}

// These sentences come from a caption that gives the teacher orders, or from a teacher that mentions itself.
const promptText = [
  /\bas an? (?:AI|artificial intelligence|(?:large )?language model)\b/i,
  /\b(?:ignore|disregard|forget) (?:all |any |the |my |your )*(?:previous|above|earlier|prior) (?:instruction|prompt|message|rule)/i,
  /\bsystem prompt|\bin-context example|\baccording to the captions?\b|\bcaptions? (?:says?|states?|mentions?|describes?|indicates?|suggests?)\b/i,
];

function findPromptText(parsed: Parsed): Rejection | undefined {
  for (const text of [parsed.question, ...listedAnswers(parsed), parsed.explanation]) {
    const hidden = findHidden(text);
    if (hidden !== undefined) return { reason: 'hidden_characters', detail: hidden };
    const mark = findChatMark(text);
    if (mark !== undefined) return { reason: 'chat_mark', detail: mark };
    for (const pattern of promptText) {
      const match = pattern.exec(text);
      if (match) return { reason: 'prompt_text', detail: around(text, match.index) };
    }
  }
  return undefined;
}

const aboutChoices =
  /^(?:all|none|any|both|neither|either)(?: of)?(?: the)? (?:above|below|these|those|them|choices|options|answers)$|^(?:both|neither|either)? ?\(?[a-e]\)? (?:and|or|nor) \(?[a-e]\)?$/;

// Choices are shuffled, and exactly one must be right.
function findChoiceAboutChoices({ choices }: ParsedAnswer): Rejection | undefined {
  const found = choices.find((choice) => aboutChoices.test(plainText(choice)));
  return found === undefined ? undefined : { reason: 'choice_about_choices', detail: found };
}

// A bare capital may start a sentence ("A dog"), so the next words must show that it is a choice's letter.
const letter = String.raw`(?:\(([A-Ea-e])\)|([A-E])(?=[.,;:]|\s+(?:because|since|as|is)\b|\s*$))`;
const named = String.raw`(?:\(([A-Ea-e])\)|\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s+\(?([A-E])\)?)`;
const saysRight = [
  new RegExp(
    String.raw`\b(?:[Cc]orrect|[Rr]ight|[Bb]est)\s+(?:answer|choice|option)\s+(?:is|must be)\s+(?:therefore\s+)?(?:(?:option|choice)\s+)?${letter}`,
    'g',
  ),
  new RegExp(String.raw`\b[Aa]nswer\s+is\s+(?:therefore\s+)?(?:(?:option|choice)\s+)?${letter}`, 'g'),
  new RegExp(String.raw`${named}\s+(?:is|must be)\s+(?:therefore\s+)?(?:the\s+)?(?:correct|right)\b`, 'g'),
];
const saysWrong = new RegExp(
  String.raw`${named}\s+(?:is|must be)\s+(?:clearly\s+)?(?:incorrect|wrong|false|not\s+(?:correct|right))\b`,
  'g',
);
const saysListWrong =
  /\b(?:[Oo]ptions|[Cc]hoices|[Aa]nswers)\s((?:[A-E(),&/\s]|and|or)+?)(?:are|were)\s+(?:(?:all|both|also|clearly)\s+)?(?:incorrect|wrong|false|not\s+(?:correct|right))\b/g;
const saysRightInWords =
  /\b(?:correct|right) (?:answer|choice|option) (?:is|must be) (?:therefore )?["'“]?([^.;"”\n]{1,150})/gi;

function findContradiction({ choices, correctChoiceIndex, explanation }: ParsedAnswer): Rejection | undefined {
  const contradiction = (index: number): Rejection => ({
    reason: 'explanation_contradicts_answer',
    detail: around(explanation, index),
  });
  for (const pattern of saysRight) {
    for (const match of explanation.matchAll(pattern)) {
      if (letterIndex(match) !== correctChoiceIndex) return contradiction(match.index);
    }
  }
  for (const match of explanation.matchAll(saysWrong)) {
    if (letterIndex(match) === correctChoiceIndex) return contradiction(match.index);
  }
  for (const match of explanation.matchAll(saysListWrong)) {
    if (match[1]?.includes(answerLetters[correctChoiceIndex] as string)) return contradiction(match.index);
  }
  for (const match of explanation.matchAll(saysRightInWords)) {
    const said = choices.map(plainText).indexOf(plainText(match[1] as string));
    if (said >= 0 && said !== correctChoiceIndex) return contradiction(match.index);
  }
  return undefined;
}

function letterIndex(match: RegExpMatchArray): number {
  return answerLetters.indexOf((match[1] ?? match[2] ?? '').toUpperCase());
}

function around(text: string, index: number): string {
  return text.slice(Math.max(0, index - 30), index + 60).trim();
}
