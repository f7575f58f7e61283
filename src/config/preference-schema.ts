import { z } from 'zod';

/** What a round's finetune learns from. */
export const objectives = ['sft', 'dpo', 'sft+dpo'] as const;
const pairSources = ['ownChoices', 'counterfactual'] as const;
const references = ['previousRound', 'adapterOff'] as const;

/** How preference pairs are learned from. */
export const preferenceSchema = z.strictObject({
  sources: z
    .array(z.enum(pairSources))
    .min(1)
    .refine((sources) => new Set(sources).size === sources.length, 'names a source twice')
    .default(['ownChoices'])
    .describe(
      'What the wrong answer of a pair is. ownChoices: the one that the last good model chose. counterfactual: the one that is right for another image of the round, about which the same question is asked.',
    ),
  beta: z
    .number()
    .positive()
    .default(0.1)
    .describe(
      'How strongly the loss holds the model to its reference: a larger one keeps it nearer. With lengthNormalized, Tülu 3 has 5.',
    ),
  labelSmoothing: z
    .number()
    .min(0)
    .lt(0.5)
    .default(0)
    .describe('Share of the pairs that is taken to be the wrong way round.'),
  lengthNormalized: z
    .boolean()
    .default(false)
    .describe('Log probabilities are means over the tokens of an answer, in place of their sums.'),
  reference: z
    .enum(references)
    .default('previousRound')
    .describe(
      'The model that the loss compares with. previousRound: the adapter of the last good round, whose mistakes the pairs are. adapterOff: the base model.',
    ),
  sftWeight: z
    .number()
    .positive()
    .default(1)
    .describe('With objective: sft+dpo, what the loss on the samples weighs against that on the pairs.'),
  batchSize: z.int().positive().default(8).describe('Pairs per step, beside the samples of sft+dpo.'),
});

export type Preference = z.output<typeof preferenceSchema>;

/** How the pairs of a config are learned from; undefined where it has none. */
export function preferenceOf({
  objective,
  preference,
}: {
  objective: (typeof objectives)[number];
  preference?: Preference | undefined;
}): Preference | undefined {
  return objective === 'sft' ? undefined : (preference ?? preferenceSchema.parse({}));
}
