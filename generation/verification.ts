/**
 * The teacher is asked its own questions again: without its answer (blind), and without the picture's facts
 * (language only).
 */
import { z } from 'zod';
import type { AnnotatedPicture } from '../datasets/coco.ts';
import { seededRandom } from '../random/seeded-random.ts';
import { hashValue } from '../store/hash.ts';
import { describeBoxes, describeCaptions } from './prompt.ts';
import { type ChatMessage, fillTemplate, type PromptTemplate } from './prompt-template.ts';

export const blindPlaceholders = ['captions', 'boxes', 'question', 'choices'] as const;
export const languageOnlyPlaceholders = ['question', 'choices'] as const;

export type VerificationKind = 'blind' | 'language_only';

/** A sample to ask about again. */
export interface SampleToVerify {
  request_id: string;
  image_id: number;
  question: string;
  choices: readonly string[];
  correctChoiceIndex: number;
}

/** One question to ask again. `id` is a hash of all that the answer depends on. */
export interface VerificationRequest {
  id: string;
  request_id: string;
  image_id: number;
  kind: VerificationKind;
  question: string;
  /** As the teacher is shown them: each time in another order, for it may favor a letter. */
  choices: string[];
  /** Place of the sample's answer among them. */
  expected: number;
  seed: number;
}

export const verificationAnswer = z.object({
  id: z.string(),
  request_id: z.string(),
  kind: z.enum(['blind', 'language_only']),
  raw_answer: z.string(),
  model: z.string(),
  usage: z.object({ promptTokens: z.number(), completionTokens: z.number(), totalTokens: z.number() }),
});

/** One line of `verify_result.jsonl`. */
export type VerificationAnswer = z.output<typeof verificationAnswer>;

/**
 * What to ask about the samples.
 *
 * @param input.identity what the answers depend on besides the question: the teacher, its settings, the prompts
 */
export function verificationRequests(input: {
  samples: readonly SampleToVerify[];
  blindAnswers: number;
  languageOnlyAnswers: number;
  identity: unknown;
  seed: number | string;
}): VerificationRequest[] {
  const { samples, blindAnswers, languageOnlyAnswers, identity } = input;
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
        return { id: hashValue({ content, identity }), ...content };
      }),
    ),
  );
}

/** The messages of one of them; the picture is the one that it asks about. */
export function verificationMessages(
  request: VerificationRequest,
  picture: AnnotatedPicture,
  templates: Record<VerificationKind, PromptTemplate>,
): ChatMessage[] {
  const choices = request.choices.map((choice, index) => `(${'ABCD'[index]}) ${choice}`).join('\n');
  const asked = { question: request.question, choices };
  if (request.kind === 'language_only') return fillTemplate(templates.language_only, asked);
  return fillTemplate(templates.blind, {
    ...asked,
    captions: describeCaptions(picture.captions),
    boxes: describeBoxes(picture),
  });
}

/** The place of the chosen letter, or undefined when the teacher chose none, or more than one. */
export function readChosenLetter(text: string): number | undefined {
  const said = [...text.matchAll(/\banswer(?:\s+is)?\**\s*:?\s*\**\s*\(?([A-D])\b\)?/gi)].at(-1)?.[1];
  const letters = new Set(Array.from(text.matchAll(/\(([A-D])\)/g), (match) => match[1] as string));
  const letter = said ?? (letters.size === 1 ? [...letters][0] : /^\s*([A-D])[).]?\s*$/.exec(text)?.[1]);
  return letter === undefined ? undefined : 'ABCD'.indexOf(letter.toUpperCase());
}
