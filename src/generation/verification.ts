/**
 * Asks the teacher its own questions again: without its answer (blind), and without what is known of the image (language
 * only).
 */

import { z } from 'zod';
import { hashValue } from '../core/hash.ts';
import { type ImageId, imageIdSchema } from '../core/images/image-id.ts';
import { type SeededRandom, seededRandom } from '../core/seeded-random.ts';
import type { AnnotatedImage } from '../datasets/coco.ts';
import { letterOf } from '../datasets/question-text.ts';
import { withoutFence, withoutReasoning } from '../teacher/answer-text.ts';
import { type ChatMessage, fillTemplate, type PromptTemplate } from '../teacher/prompt-template.ts';
import { type StructuredFormat, structuredFormat } from '../teacher/teacher.ts';
import { answerLetters } from './filters.ts';
import { describeBoxes, describeCaptions, imageOf, oneLine } from './prompt.ts';

export const languageOnlyPlaceholders = ['question', 'choices'] as const;
export const shortLanguageOnlyPlaceholders = ['question'] as const;

export type VerificationKind = 'blind' | 'language_only';

/** A sample whose question is asked again. */
export type SampleToVerify = {
  request_id: string;
  image_id: ImageId;
  questionType: string;
  /** With the instruction behind it, of a question with a short answer. */
  question: string;
} & ({ choices: readonly string[]; correctChoiceIndex: number } | { answer: string });

/** The schema of a line of a verification's `requests.jsonl`. */
export const verificationRequest = z.object({
  id: z.string(),
  request_id: z.string(),
  image_id: imageIdSchema,
  question_type: z.string(),
  prompt_version: z.string(),
  kind: z.enum(['blind', 'language_only']),
  question: z.string(),
  choices: z.array(z.string()),
  expected: z.int().nonnegative().optional(),
  expected_answer: z.string().optional(),
  seed: z.int(),
});

/**
 * One question to ask again. `id` is a hash of all that the answer depends on; `request_id` is the sample's; `choices` are
 * in the order of the prompt, another one each time, because the teacher may favor a letter; `expected` is the place of the
 * sample's answer among them. A question with a short answer has no choices, and `expected_answer`.
 */
export type VerificationRequest = z.output<typeof verificationRequest>;

/** The schema of a structured answer: the letter, or `none` when the teacher does not know. */
const structuredChoice = z.object({
  reason: z.string().describe('One sentence.'),
  answer: z.enum(['A', 'B', 'C', 'D', 'none']),
});
const structuredChoiceOfFive = structuredChoice.extend({ answer: z.enum(['A', 'B', 'C', 'D', 'E', 'none']) });
const formatOfFour = structuredFormat(structuredChoice, 'choice');
const formatOfFive = structuredFormat(structuredChoiceOfFive, 'choice');

const structuredShort = z.object({ reason: z.string().describe('One sentence.'), answer: z.string() });
const formatOfShort = structuredFormat(structuredShort, 'short_answer');

/** For teachers that answer with structured output, about a question with so many choices; 0 for a short answer. */
export function choiceFormat(choices: number): StructuredFormat {
  if (choices === 0) return formatOfShort;
  return choices > 4 ? formatOfFive : formatOfFour;
}

/**
 * Makes the requests about samples.
 *
 * @param input.identity what the answers depend on besides the question: the teacher, its settings, the prompts
 * @param input.promptVersions versions of the prompts
 * @param input.short the same of questions with a short answer; required with such
 */
export function verificationRequests(input: {
  samples: readonly SampleToVerify[];
  blindAnswers: number;
  languageOnlyAnswers: number;
  identity: unknown;
  promptVersions: Record<VerificationKind, string>;
  short?: { identity: unknown; promptVersions: Record<VerificationKind, string> } | undefined;
  seed: number | string;
}): VerificationRequest[] {
  const { samples, blindAnswers, languageOnlyAnswers } = input;
  const random = seededRandom(input.seed).fork('verify');
  const times: [VerificationKind, number][] = [
    ['blind', blindAnswers],
    ['language_only', languageOnlyAnswers],
  ];
  return samples.flatMap((sample) =>
    times.flatMap(([kind, count]) =>
      Array.from({ length: count }, (_, attempt) => {
        const own = random.fork(`${sample.request_id} ${kind} ${attempt}`);
        const { identity, promptVersions } = 'answer' in sample ? (input.short ?? input) : input;
        const content = {
          request_id: sample.request_id,
          image_id: sample.image_id,
          kind,
          question: sample.question,
          ...expectedOf(sample, own),
          seed: own.integer(2 ** 31 - 1),
        };
        return {
          id: hashValue({ content, identity }),
          question_type: sample.questionType,
          prompt_version: promptVersions[kind],
          ...content,
        };
      }),
    ),
  );
}

function expectedOf(sample: SampleToVerify, random: SeededRandom) {
  if ('answer' in sample) return { choices: [], expected_answer: sample.answer };
  const order = random.shuffle(sample.choices.map((_, index) => index));
  return {
    choices: order.map((index) => sample.choices[index] as string),
    expected: order.indexOf(sample.correctChoiceIndex),
  };
}

/** The prompts of questions with choices, and of those with a short answer. */
export interface VerificationTemplates extends Record<VerificationKind, PromptTemplate> {
  short?: Record<VerificationKind, PromptTemplate> | undefined;
}

/** The prompt of a request. */
export function templateOf(
  { kind, expected_answer }: Pick<VerificationRequest, 'kind' | 'expected_answer'>,
  templates: VerificationTemplates,
): PromptTemplate {
  return (expected_answer === undefined ? templates : (templates.short ?? templates))[kind];
}

/** Makes the messages of a request. @param images the images of blind requests, by id */
export function verificationMessages(
  request: VerificationRequest,
  images: ReadonlyMap<ImageId, AnnotatedImage>,
  templates: VerificationTemplates,
): ChatMessage[] {
  const choices = request.choices.map((choice, index) => `(${letterOf(index)}) ${oneLine(choice)}`).join('\n');
  const question = request.expected_answer === undefined ? oneLine(request.question) : linesOf(request.question);
  const asked = { question, choices };
  const template = templateOf(request, templates);
  if (request.kind === 'language_only') return fillTemplate(template, asked);
  const image = imageOf(images, request);
  return fillTemplate(template, {
    ...asked,
    captions: describeCaptions(image.captions),
    boxes: describeBoxes(image),
  });
}

/** The question, and on a line of its own the instruction. */
function linesOf(question: string): string {
  return question.split('\n').map(oneLine).join('\n');
}

/** Reads the short answer: the last line that starts with `Answer:`; undefined when the teacher gave none. */
export function readWrittenAnswer(raw: string): string | undefined {
  const text = withoutFence(withoutReasoning(raw));
  const answer = text.trimStart().startsWith('{') ? readStructuredShort(text) : answerLine(text);
  return answer === undefined || answer === '' || /^none$/i.test(answer) ? undefined : answer;
}

function answerLine(text: string): string | undefined {
  const lines = text.split('\n').map((line) => line.replaceAll('**', '').trim());
  return lines
    .findLast((line) => /^answer\s*:/i.test(line))
    ?.replace(/^answer\s*:\s*/i, '')
    .replace(/\.$/, '');
}

function readStructuredShort(text: string): string | undefined {
  try {
    return structuredShort.safeParse(JSON.parse(text)).data?.answer.trim();
  } catch {
    return undefined;
  }
}

/** Reads the place of the chosen letter; undefined when the teacher chose none, or more than one. */
export function readChosenLetter(raw: string): number | undefined {
  const text = withoutFence(withoutReasoning(raw));
  if (text.trimStart().startsWith('{')) {
    const choice = readStructured(text);
    return choice === undefined || choice === 'none' ? undefined : answerLetters.indexOf(choice);
  }
  const said = [...text.matchAll(/\banswer(?:\s+is)?\**\s*:?\s*\**\s*\(?([A-E])\b\)?/gi)].at(-1)?.[1];
  const letters = new Set(Array.from(text.matchAll(/\(([A-E])\)/g), (match) => match[1] as string));
  const letter = said ?? (letters.size === 1 ? [...letters][0] : /^\s*([A-E])[).]?\s*$/.exec(text)?.[1]);
  return letter === undefined ? undefined : answerLetters.indexOf(letter.toUpperCase());
}

function readStructured(text: string): z.output<typeof structuredChoiceOfFive>['answer'] | undefined {
  try {
    return structuredChoiceOfFive.safeParse(JSON.parse(text)).data?.answer;
  } catch {
    return undefined;
  }
}
