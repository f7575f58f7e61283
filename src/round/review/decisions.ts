/** What a person decided about a round's samples before anything is trained on them. */
import { join } from 'node:path';
import { z } from 'zod';
import { fileExists } from '../../core/files.ts';
import { hashValue } from '../../core/hash.ts';
import { sha256Text } from '../../core/inside.ts';
import { readJsonLines } from '../../core/read-json.ts';
import { type RunDirectory, roundDirectory } from '../../core/run-directory.ts';
import type { EngineSample } from '../../datasets/engine-data.ts';

export const maxReviewComment = 500;

/** The parts of a sample that a person may change; longer ones would not be kept anyway. */
export const editSchema = z.strictObject({
  question: z.string().max(1000),
  /** None for a question with a short answer. */
  choices: z.array(z.string().max(1000)).max(10),
  /** Place of the right choice, from 0. */
  correct: z.int().nonnegative().optional(),
  /** The short answer. */
  answer: z.string().max(1000).optional(),
  /** Without its heading. */
  explanation: z.string().max(10_000),
});

export type SampleEdit = z.output<typeof editSchema>;

export const givenDecisionSchema = z
  .strictObject({
    /** `keyOf` the sample. */
    sample: sha256Text,
    decision: z.enum(['keep', 'edit', 'reject']),
    /** With `edit`: the sample as it is to be. */
    edited: editSchema.optional(),
    comment: z.string().max(maxReviewComment).optional(),
  })
  .superRefine(({ decision, edited }, context) => {
    if ((decision === 'edit') === (edited !== undefined)) return;
    const message = decision === 'edit' ? 'is missing' : `does not go with ${decision}`;
    context.addIssue({ code: 'custom', path: ['edited'], message });
  });

/** A decision, as a page, a terminal or a file gives it. */
export type GivenDecision = z.output<typeof givenDecisionSchema>;

const decisionSchema = givenDecisionSchema.safeExtend({
  /** Who decided. */
  by: z.string(),
  /** ISO 8601. */
  at: z.string(),
});

export type SampleDecision = z.output<typeof decisionSchema>;

/** What identifies a sample: its content. */
export function keyOf(sample: EngineSample): string {
  return hashValue(sample);
}

/** A line for each decision; the last one about a sample counts. */
export function decisionsFile(run: RunDirectory, round: number): string {
  return join(roundDirectory(run, round), 'review', 'decisions.jsonl');
}

/**
 * The decisions about a round's samples, by the samples' keys; about samples that a repeated round no longer has, too.
 *
 * @throws InputError naming the line that was changed to something else
 */
export async function readDecisions(run: RunDirectory, round: number): Promise<Map<string, SampleDecision>> {
  const file = decisionsFile(run, round);
  if (!(await fileExists(file))) return new Map();
  const lines = await readJsonLines(file, decisionSchema, { tolerateTruncatedLastLine: true });
  return new Map(lines.map((line) => [line.sample, line]));
}

/** How many samples have which decision. */
export interface ReviewCounts {
  kept: number;
  edited: number;
  rejected: number;
  undecided: number;
}

/** @param decisions one for each sample; undefined where there is none */
export function countDecisions(decisions: readonly (SampleDecision | undefined)[]): ReviewCounts {
  const counts = { kept: 0, edited: 0, rejected: 0, undecided: 0 };
  const names = { keep: 'kept', edit: 'edited', reject: 'rejected' } as const;
  for (const found of decisions) counts[found === undefined ? 'undecided' : names[found.decision]] += 1;
  return counts;
}
