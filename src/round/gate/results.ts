import { join } from 'node:path';
import { z } from 'zod';
import { readJson } from '../../core/read-json.ts';
import { type Stop, stopRules } from '../../evaluation/stop-rules.ts';
import type { CompareOutcome } from '../compare/results.ts';
import type { StepOutcome } from '../step-context.ts';

export interface GateOutcome
  extends StepOutcome,
    Pick<CompareOutcome, 'builtOn' | 'change' | 'pValue' | 'remembered' | 'forgotten'> {
  accepted: boolean;
  by: 'first' | 'policy' | 'test' | 'person' | 'default';
  reason: string;
  /** The last good round now: this one, when it was accepted. */
  lastGood: number;
  /** Why the run ends with this round, when it does. */
  stop?: Stop | undefined;
}

export const decisionFile = 'decision.json';

const decisionSchema = z.object({
  schemaVersion: z.literal(1),
  round: z.int().nonnegative(),
  /** The last good round before it, whose data and adapter it extends. Absent for round 0. */
  builtOn: z.int().nonnegative().optional(),
  accepted: z.boolean(),
  /** first: round 0. policy: every round is built upon. test: by the paired tests. default: nobody decided in time. */
  by: z.enum(['first', 'policy', 'test', 'person', 'default']),
  reason: z.string(),
  /** The person's verdict, or the default when there was none in time. */
  verdict: z.enum(['accept', 'reject', 'gate']).optional(),
  comment: z.string().optional(),
  /** SHA-256 of the `comparison.json` that it was made on. */
  comparison: z.string(),
  /** The run ends with this round. */
  stop: z.object({ rule: z.enum(stopRules), reason: z.string() }).optional(),
});

/** Whether a round is built upon, and why: `round-<k>/gate/decision.json`. */
export type Decision = z.output<typeof decisionSchema>;

/** Reads the decision from the step's folder. */
export function readDecisionFile(directory: string): Promise<Decision> {
  return readJson(join(directory, decisionFile), decisionSchema);
}
