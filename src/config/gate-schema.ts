import { z } from 'zod';

const share = z.number().min(0).max(1);

/** Whether a round is built upon. */
export const gateSchema = z.strictObject({
  policy: z
    .enum(['gate', 'always', 'approve'])
    .default('gate')
    .describe(
      'gate: a round whose merged model is worse than that of the last good round is set aside. always: every round is built upon. approve: a person decides.',
    ),
  level: share
    .default(0.05)
    .describe(
      "Of the paired tests (McNemar's, exact, one-sided): the chance that a model that is no worse is called worse. 1: any drop beyond the tolerance counts.",
    ),
  tolerance: share.default(0).describe('A drop of all validation questions that does not matter: 0.01 is one point.'),
  typeTolerance: share.default(0.05).describe("A drop of one question type's questions that does not matter."),
  typeTolerances: z.record(z.string(), share).default({}).describe('The same for single question types.'),
  approval: z
    .strictObject({
      timeoutHours: z.number().positive().default(72).describe('The default decision holds after this long.'),
      defaultDecision: z
        .enum(['gate', 'accept', 'reject'])
        .default('gate')
        .describe('What holds when nobody has decided. gate: what the tests say.'),
    })
    .prefault({})
    .describe('For policy approve.'),
});

/** When a run ends before its last round. */
export const stopSchema = z.strictObject({
  targetScore: z
    .number()
    .min(0)
    .max(100)
    .optional()
    .describe('Multiple choice on the validation questions, in percent, that is good enough.'),
  plateauRounds: z
    .int()
    .positive()
    .optional()
    .describe('End when this many rounds together have brought no significant gain (at gate.level).'),
  budget: z
    .number()
    .positive()
    .optional()
    .describe(
      'Begin no further round once the teacher has cost this much, in the currency of the prices. teacher.budget limits within a round.',
    ),
});
