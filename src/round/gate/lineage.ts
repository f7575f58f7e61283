/**
 * Which rounds are built upon. A round whose model was worse is set aside: its folder stays as it is, but later rounds
 * take neither data nor adapter from it.
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../../config/schema.ts';
import { InputError } from '../../core/input-error.ts';
import { readJson } from '../../core/read-json.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { writeJson } from '../../core/write-file.ts';
import { stopRules } from '../../evaluation/stop-rules.ts';
import { manifestIn } from '../finished-step.ts';
import { stepDirectory } from '../step-directory.ts';

export const decisionFile = 'decision.json';
export const lineageFile = 'lineage.json';

const decisionSchema = z.object({
  schemaVersion: z.literal(1),
  round: z.int().nonnegative(),
  /** The last good round before it: what its data and adapter were added to. Absent for round 0. */
  builtOn: z.int().nonnegative().optional(),
  accepted: z.boolean(),
  /** first: round 0. policy: every round is built upon. test: the paired tests. person. default: nobody decided in time. */
  by: z.enum(['first', 'policy', 'test', 'person', 'default']),
  /** Why, in words. */
  reason: z.string(),
  /** What the person said, or what held when nobody did. */
  verdict: z.enum(['accept', 'reject', 'gate']).optional(),
  comment: z.string().optional(),
  /** SHA-256 of the `comparison.json` that it was made on. */
  comparison: z.string(),
  /** The run ends with this round. */
  stop: z.object({ rule: z.enum(stopRules), reason: z.string() }).optional(),
});

/** Whether a round is built upon, and why: `round-<k>/gate/decision.json`. */
export type Decision = z.output<typeof decisionSchema>;

/** What `lineageBefore` needs of a step's context. */
interface Place {
  config: Pick<Config, 'gate'>;
  run: RunDirectory;
}

/** The decision about a round, or undefined when there is none yet. */
export async function readDecision(run: RunDirectory, round: number): Promise<Decision | undefined> {
  const directory = stepDirectory(run, round, 'gate');
  if ((await manifestIn(run, directory)) === undefined) return undefined;
  return readJson(join(directory, decisionFile), decisionSchema);
}

/**
 * The rounds before a round that are built upon, in order; round 0 is always the first.
 *
 * @throws InputError when a round in between was not judged, and the config's policy is not to build on all
 */
export async function lineageBefore({ config, run }: Place, round: number): Promise<number[]> {
  const lineage = round > 0 ? [0] : [];
  for (let earlier = 1; earlier < round; earlier += 1) {
    const decision = await readDecision(run, earlier);
    if (decision === undefined && config.gate.policy !== 'always') {
      throw new InputError({
        file: stepDirectory(run, earlier, 'gate'),
        problem: `it is not decided whether round ${earlier} is built upon`,
        remedy: `Run \`dataengine gate --round ${earlier}\` with the same config first, or set gate.policy to always`,
      });
    }
    if (decision?.accepted !== false) lineage.push(earlier);
  }
  return lineage;
}

/** The round that a data round builds on: the last good one. */
export async function lastGoodRound(place: Place, round: number): Promise<number> {
  return (await lineageBefore(place, round)).at(-1) ?? 0;
}

/** The rounds since the last good one, all of them set aside: what was tried already from the same place. */
export async function setAsideSince(place: Place, round: number): Promise<number[]> {
  const first = (await lastGoodRound(place, round)) + 1;
  return Array.from({ length: Math.max(0, round - first) }, (_, index) => first + index);
}

/** Writes `lineage.json` beside the rounds: for people, and for programs that read a run. Nothing here reads it. */
export async function writeLineage(run: RunDirectory, decisions: readonly Decision[]): Promise<void> {
  const accepted = decisions.filter((decision) => decision.accepted);
  await writeJson(join(run.root, lineageFile), {
    schemaVersion: 1,
    /** The model to use: `round-<lastGood>/merged`. */
    lastGood: accepted.at(-1)?.round ?? 0,
    builtUpon: accepted.map(({ round }) => round),
    setAside: decisions.filter((decision) => !decision.accepted).map(({ round }) => round),
    rounds: decisions.map(({ round, builtOn, accepted: isAccepted, by, reason, comment }) => ({
      round,
      builtOn,
      accepted: isAccepted,
      by,
      reason,
      comment,
      data: round === 0 ? undefined : `round-${round}/append/version.json`,
      adapter: `round-${round}/finetune`,
      model: `round-${round}/merged`,
    })),
  });
}
