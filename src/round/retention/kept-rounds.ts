/** Which rounds of a run keep their merged models, and why. */
import { join } from 'node:path';
import type { Retention } from '../../config/retention-schema.ts';
import type { Config } from '../../config/schema.ts';
import { fileExists } from '../../core/files.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { readScores, scoresFile } from '../../evaluation/evaluation-files.ts';
import { manifestIn } from '../finished-step.ts';
import { readDecision } from '../gate/lineage.ts';
import { stepDirectory } from '../step-directory.ts';

export interface KeptRound {
  round: number;
  why: string;
}

interface Place {
  config: Config;
  run: RunDirectory;
}

/** The rounds of a run, in order; those that are not finished, and why; and those of which somebody may need everything. */
export interface Rounds {
  all: readonly number[];
  open: ReadonlyMap<number, string>;
  /** Absent where nobody works on the run. */
  untouched?: ReadonlySet<number> | undefined;
}

/**
 * Tells rounds that are finished from those that are not.
 *
 * @param unfinished those with a step that was started and has not ended
 * @param isOwned whether somebody else works on the run: the newest round is theirs, and so are those that are not finished
 */
export async function roundsOf(
  { config, run }: Place,
  all: readonly number[],
  unfinished: ReadonlySet<number>,
  isOwned: boolean,
): Promise<Rounds> {
  const open = new Map<number, string>();
  for (const round of all) {
    const isDecided =
      (await readDecision(run, round)) !== undefined ||
      (config.gate.policy === 'always' && (await isClassified(run, round)));
    if (!isDecided) open.set(round, 'without a decision');
    else if (unfinished.has(round)) open.set(round, 'a step is under way');
  }
  return { all, open, ...(isOwned && { untouched: new Set([...open.keys(), ...all.slice(-1)]) }) };
}

/** The rounds whose models stay: the last good one, the best, the newest, and those that are not finished. */
export async function keptRounds(
  { run }: Pick<Place, 'run'>,
  { lastRounds, best }: Retention,
  { all: rounds, open, untouched }: Rounds,
): Promise<KeptRound[]> {
  const kept = new Map<number, string[]>();
  const keep = (round: number | undefined, why: string) => {
    if (round !== undefined) kept.set(round, [...(kept.get(round) ?? []), why]);
  };
  let lastGood: number | undefined;
  let highest: { round: number; score: number } | undefined;
  for (const round of rounds) {
    keep(open.has(round) ? round : undefined, open.get(round) ?? '');
    // One without a decision may yet be set aside: then the run goes on from the one before.
    const isGood = (await readDecision(run, round))?.accepted ?? !open.has(round);
    if (isGood) lastGood = round;
    const score = best ? await mainScore(run, round) : undefined;
    if (score !== undefined && score >= (highest?.score ?? Number.NEGATIVE_INFINITY)) highest = { round, score };
  }
  for (const round of rounds.slice(rounds.length - Math.min(lastRounds, rounds.length)))
    keep(round, 'among the newest');
  if (untouched !== undefined) keep(rounds.at(-1), 'its owner is at work');
  keep(lastGood, 'the last good one');
  keep(highest?.round, 'the best');
  return [...kept]
    .sort(([one], [other]) => one - other)
    .map(([round, reasons]) => ({ round, why: reasons.join(', ') }));
}

async function isClassified(run: RunDirectory, round: number): Promise<boolean> {
  return (await manifestIn(run, stepDirectory(run, round, 'classify'))) !== undefined;
}

/** The main score on the validation questions, as a share; undefined for a round that is not evaluated. */
async function mainScore(run: RunDirectory, round: number): Promise<number | undefined> {
  const directory = stepDirectory(run, round, 'evaluate');
  const manifest = await manifestIn(run, directory);
  if (manifest === undefined) return undefined;
  // A run that an early version evaluated has no scores.
  if (!(await fileExists(join(directory, scoresFile)))) return (manifest.metrics.validationMultipleChoice ?? 0) / 100;
  const [main] = Object.values((await readScores(directory)).measures);
  return main?.value;
}
