/**
 * Preference pairs: the right answer to a question, and the wrong one that a model gave. A round's are made of its generated
 * samples alone. The evaluation's bad cases would be pairs too, but their images and questions must not be trained on
 * (`src/generation/leaks.ts`): a model that has seen them can't be measured by them any more.
 */
import { z } from 'zod';
import { type ImageId, imageIdSchema } from '../core/images/image-id.ts';
import type { EngineSample } from './engine-data.ts';
import { mixtureOrder } from './mixture-order.ts';
import { answerQma, listedQuestion } from './question-text.ts';

/** A line of a round's `pairs.jsonl`. */
export const preferencePairSchema = z.strictObject({
  image_id: imageIdSchema,
  question_type: z.string(),
  question: z.string(),
  choices: z.array(z.string()),
  correct_choice_idx: z.int().nonnegative(),
  /** The choice that the model found likeliest. */
  rejected_choice_idx: z.int().nonnegative(),
});
export type PreferencePair = z.output<typeof preferencePairSchema>;

/** A line of what a trainer is given: the same question with both answers, which differ in the choice alone. */
export const preferenceSampleSchema = z.strictObject({
  id: z.string(),
  source: z.string(),
  /** Absolute path. */
  image: z.string().optional(),
  /** As of a `TrainingSample`. */
  prompt: z.string(),
  chosen: z.string(),
  rejected: z.string(),
});
export type PreferenceSample = z.output<typeof preferenceSampleSchema>;

/** The choices of a sample as a model ranked them. */
export interface RankedSample {
  image_id: ImageId;
  question: string;
  choices: readonly string[];
  /** One for each choice; the lowest is the model's choice. */
  losses: readonly number[];
}

/**
 * The pairs of samples whose right choice is not the one that the model made, in the order of the samples. A sample that a person
 * has changed since has one only if its question and choices are the same; its right choice may be another.
 *
 * @param samples as they are trained on
 * @param ranked as the model was asked about them
 */
export function preferencePairs(samples: readonly EngineSample[], ranked: readonly RankedSample[]): PreferencePair[] {
  const lossesOf = new Map(ranked.map((sample) => [keyOf(sample), sample.losses]));
  return samples.flatMap((sample): PreferencePair[] => {
    const { image_id, question_type, question, choices, correct_choice_idx } = sample;
    const losses = lossesOf.get(keyOf(sample));
    if (correct_choice_idx === undefined || losses === undefined) return [];
    const rejected_choice_idx = lowest(losses);
    if (rejected_choice_idx < 0 || rejected_choice_idx === correct_choice_idx) return [];
    return [{ image_id, question_type, question, choices, correct_choice_idx, rejected_choice_idx }];
  });
}

const keyOf = ({ image_id, question, choices }: Pick<RankedSample, 'image_id' | 'question' | 'choices'>) =>
  JSON.stringify([image_id, question, choices]);

/** The first of the lowest; -1 where there is none. */
function lowest(losses: readonly number[]): number {
  return losses.indexOf(Math.min(...losses));
}

/** A pair as it is trained on: both answers without an explanation, for the model gave none with its own. */
export function preferenceSample(
  { question, choices, correct_choice_idx, rejected_choice_idx }: PreferencePair,
  { id, source, image }: { id: string; source: string; image: string },
): PreferenceSample {
  return {
    id,
    source,
    image,
    prompt: listedQuestion(question, choices),
    chosen: answerQma(choices, correct_choice_idx),
    rejected: answerQma(choices, rejected_choice_idx),
  };
}

/**
 * The pairs of a finetune's steps: none is repeated before all have been used, each pass is a new shuffle, and a longer order
 * starts with a shorter one.
 *
 * @param pairs how many there are, at least one
 * @param draws steps times pairs per step
 */
export function pairOrder(pairs: number, draws: number, seed: number): number[] {
  const { sampleAt } = mixtureOrder({ parts: [{ name: 'pairs', size: pairs }], seed });
  return Array.from({ length: draws }, (_, draw) => sampleAt(draw));
}
