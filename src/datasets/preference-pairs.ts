/**
 * Preference pairs: the right answer to a question, and a wrong one: the one that a model gave, or the one that is right for
 * another image. A round's are made of its generated samples alone. The evaluation's bad cases would be pairs too, but their images and questions must not be trained on
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
  /** The choice that the model found likeliest, or the right one for `other_image_id`. */
  rejected_choice_idx: z.int().nonnegative(),
  /** Of a counterfactual pair: the image of another sample with the same question. */
  other_image_id: imageIdSchema.optional(),
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

/**
 * The counterfactual pairs of samples, in their order: a sample's right choice, and the first of its other choices that is the
 * right answer to the same question about another image. Who answers without looking at the image can't tell the two apart, as in
 * NaturalBench (https://arxiv.org/abs/2410.14669). Questions and choices are the same where only case and white space differ.
 */
export function counterfactualPairs(samples: readonly EngineSample[]): PreferencePair[] {
  const imagesOf = new Map<string, ImageId[]>();
  for (const sample of samples) {
    const right = rightChoice(sample);
    if (right === undefined) continue;
    const key = answerKey(sample.question, right);
    imagesOf.set(key, [...(imagesOf.get(key) ?? []), sample.image_id]);
  }
  return samples.flatMap(({ image_id, question_type, question, choices, correct_choice_idx }): PreferencePair[] => {
    if (correct_choice_idx === undefined) return [];
    for (const [rejected_choice_idx, choice] of choices.entries()) {
      if (rejected_choice_idx === correct_choice_idx) continue;
      const other_image_id = imagesOf.get(answerKey(question, choice))?.find((other) => other !== image_id);
      if (other_image_id === undefined) continue;
      return [{ image_id, question_type, question, choices, correct_choice_idx, rejected_choice_idx, other_image_id }];
    }
    return [];
  });
}

function rightChoice({ choices, correct_choice_idx }: EngineSample): string | undefined {
  return correct_choice_idx === undefined ? undefined : choices[correct_choice_idx];
}

const answerKey = (...texts: string[]) =>
  JSON.stringify(texts.map((text) => text.trim().toLowerCase().replace(/\s+/g, ' ')));

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
