/**
 * Which rounds are built upon. A round whose model was worse is set aside: its folder stays as it is, but later rounds use
 * neither its data nor its adapter.
 */
import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { InputError } from '../../core/input-error.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { writeJson } from '../../core/write-file.ts';
import { manifestIn } from '../finished-step.ts';
import { stepDirectory } from '../step-directory.ts';
import { type Decision, readDecisionFile } from './results.ts';

const lineageFile = 'lineage.json';

/** What `lineageBefore` needs of a step's context. */
interface Place {
  config: Pick<Config, 'gate'>;
  run: RunDirectory;
}

/** The decision about a round, or undefined when there is none yet. */
export async function readDecision(run: RunDirectory, round: number): Promise<Decision | undefined> {
  const directory = stepDirectory(run, round, 'gate');
  if ((await manifestIn(run, directory)) === undefined) return undefined;
  return readDecisionFile(directory);
}

/**
 * The rounds before a round that are built upon, in order; round 0 is always the first.
 *
 * @throws InputError when there is no decision about one of them, unless the config's policy is to build upon every round
 */
export async function lineageBefore({ config, run }: Place, round: number): Promise<number[]> {
  const lineage = round > 0 ? [0] : [];
  for (let earlier = 1; earlier < round; earlier += 1) {
    const decision = await readDecision(run, earlier);
    if (decision === undefined && config.gate.policy !== 'always') {
      throw new InputError({
        file: stepDirectory(run, earlier, 'gate'),
        problem: `there is no decision about round ${earlier} yet`,
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

/** The rounds since the last good one, all of them set aside: earlier attempts to improve the same model. */
export async function setAsideSince(place: Place, round: number): Promise<number[]> {
  const first = (await lastGoodRound(place, round)) + 1;
  return Array.from({ length: Math.max(0, round - first) }, (_, index) => first + index);
}

/** Writes `lineage.json` beside the rounds, for people and for other programs. Nothing here reads it. */
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
