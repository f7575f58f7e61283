/**
 * Asks the teacher its own questions again: without its answer (blind), and without what is known of the image (language
 * only).
 */

import { z } from 'zod';
import { hashValue } from '../core/hash.ts';
import { type ImageId, imageIdSchema } from '../core/images/image-id.ts';
import { seededRandom } from '../core/seeded-random.ts';
import type { AnnotatedImage } from '../datasets/coco.ts';
import { letterOf } from '../datasets/question-text.ts';
import { withoutFence, withoutReasoning } from '../teacher/answer-text.ts';
import { type ChatMessage, fillTemplate, type PromptTemplate } from '../teacher/prompt-template.ts';
import { type StructuredFormat, structuredFormat } from '../teacher/teacher.ts';
import { answerLetters } from './filters.ts';
import { describeBoxes, describeCaptions, imageOf, oneLine } from './prompt.ts';

export const languageOnlyPlaceholders = ['question', 'choices'] as const;

export type VerificationKind = 'blind' | 'language_only';

/** A sample whose question is asked again. */
export interface SampleToVerify {
  request_id: string;
  image_id: ImageId;
  questionType: string;
  question: string;
  choices: readonly string[];
  correctChoiceIndex: number;
}

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
  expected: z.int().nonnegative(),
  seed: z.int(),
});

/**
 * One question to ask again. `id` is a hash of all that the answer depends on; `request_id` is the sample's; `choices` are
 * in the order of the prompt, another one each time, because the teacher may favor a letter; `expected` is the place of the
 * sample's answer among them.
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

/** For teachers that answer with structured output, about a question with so many choices. */
export function choiceFormat(choices: number): StructuredFormat {
  return choices > 4 ? formatOfFive : formatOfFour;
}

/**
 * Makes the requests about samples.
 *
 * @param input.identity what the answers depend on besides the question: the teacher, its settings, the prompts
 * @param input.promptVersions versions of the prompts
 */
export function verificationRequests(input: {
  samples: readonly SampleToVerify[];
  blindAnswers: number;
  languageOnlyAnswers: number;
  identity: unknown;
  promptVersions: Record<VerificationKind, string>;
  seed: number | string;
}): VerificationRequest[] {
  const { samples, blindAnswers, languageOnlyAnswers, identity, promptVersions } = input;
  const random = seededRandom(input.seed).fork('verify');
  const times: [VerificationKind, number][] = [
    ['blind', blindAnswers],
    ['language_only', languageOnlyAnswers],
  ];
  return samples.flatMap((sample) =>
    times.flatMap(([kind, count]) =>
      Array.from({ length: count }, (_, attempt) => {
        const own = random.fork(`${sample.request_id} ${kind} ${attempt}`);
        const order = own.shuffle(sample.choices.map((_, index) => index));
        const content = {
          request_id: sample.request_id,
          image_id: sample.image_id,
          kind,
          question: sample.question,
          choices: order.map((index) => sample.choices[index] as string),
          expected: order.indexOf(sample.correctChoiceIndex),
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

/** Makes the messages of a request. @param images the images of blind requests, by id */
export function verificationMessages(
  request: VerificationRequest,
  images: ReadonlyMap<ImageId, AnnotatedImage>,
  templates: Record<VerificationKind, PromptTemplate>,
): ChatMessage[] {
  const choices = request.choices.map((choice, index) => `(${letterOf(index)}) ${oneLine(choice)}`).join('\n');
  const asked = { question: oneLine(request.question), choices };
  if (request.kind === 'language_only') return fillTemplate(templates.language_only, asked);
  const image = imageOf(images, request);
  return fillTemplate(templates.blind, {
    ...asked,
    captions: describeCaptions(image.captions),
    boxes: describeBoxes(image),
  });
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
