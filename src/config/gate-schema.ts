import { z } from 'zod';
import { waitHours } from '../core/durations.ts';

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
  tolerance: share.default(0).describe('Tolerated drop on all validation questions: 0.01 is one point.'),
  typeTolerance: share.default(0.05).describe('Tolerated drop on the questions of one question type.'),
  typeTolerances: z
    .record(z.string(), share)
    .default({})
    .describe('Tolerances of single question types, instead of typeTolerance.'),
  approval: z
    .strictObject({
      timeoutHours: waitHours.default(72).describe('After this long, the default decision applies.'),
      defaultDecision: z
        .enum(['gate', 'accept', 'reject'])
        .default('gate')
        .describe('Applies when nobody has decided. gate: as the tests say.'),
    })
    .prefault({})
    .describe('For policy approve.'),
  serving: z
    .strictObject({
      questions: z.int().positive().default(200).describe('Validation questions that are asked, drawn at random.'),
      maximumTokens: z.int().positive().default(64).describe('Tokens of a written answer at most.'),
    })
    .optional()
    .describe(
      'After merge, has base + adapter, the merged and the served model answer the same questions. The round stops unless they give one answer.',
    ),
});

/** When a run ends before its last round. */
export const stopSchema = z.strictObject({
  targetScore: z
    .number()
    .min(0)
    .max(100)
    .optional()
    .describe('Ends the run at this multiple-choice score on the validation questions, in percent.'),
  plateauRounds: z
    .int()
    .positive()
    .optional()
    .describe('Ends the run when this many rounds together had no significant gain (at gate.level).'),
  budget: z
    .number()
    .positive()
    .optional()
    .describe(
      'Starts no further round once the teacher has cost this much, in the currency of the prices. teacher.budget applies within a round.',
    ),
});
