/** What the committed lines say: the pilot, the arm that it chooses, and what fresh seeds confirm. */
import { holmAdjusted } from '../../src/evaluation/statistics/paired-tests.ts';
import { seedsNeeded } from '../../src/evaluation/statistics/power.ts';
import { confidenceInterval, mean, pairedTTest, standardDeviation } from '../../src/evaluation/statistics/student-t.ts';
import { isDone, type Line } from './lines.ts';
import {
  type Arm,
  type Candidate,
  candidates,
  cellsOf,
  leastConfirmationSeeds,
  type PilotArm,
  phaseOf,
  pilotArms,
  type Share,
  shares,
  type World,
} from './plan.ts';

/** Points, over the seeds that two arms have in common: mean, 95 % interval of Student's t, two-sided p of the paired t test. */
export interface Difference {
  arm: Arm;
  mean: number;
  low: number;
  high: number;
  pValue: number;
}

/** Planned for: a gain over uniform of this size is to be told from the one that the goal asks for. In points. */
export const plannedGain = 4;
export const goal = 1.5;
/** More seeds are not run: a gain that takes more is too small or too uncertain to be claimed. */
export const mostConfirmationSeeds = 16;
const pilotSeedCount = 4;

export interface PilotSummary {
  seeds: number;
  /** Mean score of each arm; NaN where no seed is complete. */
  scores: Readonly<Record<PilotArm, number>>;
  round0: number;
  /** Every other arm over uniform, with p-values as they are and by Holm's correction over them. */
  overUniform: (Difference & { arm: PilotArm; holm: number })[];
  /** The candidate of the highest mean; undefined before all seeds of the pilot are complete. */
  best: Candidate | undefined;
  /** Seeds that confirm it with a power of 80 %; undefined before there is a best one. */
  seedsWanted: number | undefined;
}

export interface ConfirmationSummary {
  seeds: number;
  scores: { round0: number; noNewData: number; uniform: number; best: number; sftDpo?: number };
  bestOverUniform: Difference;
  bestOverNoNewData: Difference;
  /** Preference pairs beside samples against samples alone; undefined in a world without this arm. */
  pairs: PairsSummary | undefined;
  /** See `shareToReach`; undefined where parts of the requests are not scored. */
  tokensToUniform: number | undefined | null;
}

/** Of `sftDpo` over the arm that it draws as, in points. */
export interface PairsSummary {
  score: Difference;
  /** Of the same questions without their images: what rises here is not seen. */
  blind: Difference;
  /** Of the validation questions that an earlier round answered rightly, the share that is lost. */
  forgotten: Difference;
}

/** By the seeds of which every arm is done: a mean over other seeds than another arm's would not be one of pairs. */
export function summarizePilot(lines: readonly Line[]): PilotSummary {
  const seeds = completeSeeds(lines, 'demo', 'pilot', undefined);
  const { of, over } = figures(lines, 'demo', seeds);
  const others = pilotArms.filter((arm) => arm !== 'uniform').map((arm) => ({ ...over(arm, 'uniform'), arm }));
  const adjusted = holmAdjusted(others.map(({ pValue }) => pValue));
  const best = seeds.length < pilotSeedCount ? undefined : highest(candidates, (arm) => mean(of(arm)));
  return {
    seeds: seeds.length,
    scores: Object.fromEntries(pilotArms.map((arm) => [arm, mean(of(arm))])) as Record<PilotArm, number>,
    round0: mean(of('uniform', ({ round0 }) => round0)),
    overUniform: others.map((other, index) => ({ ...other, holm: adjusted[index] as number })),
    best,
    seedsWanted: best && seedsWanted(candidates.map((arm) => differences(of(arm), of('uniform')))),
  };
}

/**
 * How many fresh seeds find `plannedGain` to be more than `goal`, by the deviations that the pilot's candidates show. All of them
 * together: that of the best alone has four values, and what it gained is too high, for it was chosen by it.
 *
 * @param ofArms a difference for each seed, of each candidate
 */
export function seedsWanted(ofArms: readonly (readonly number[])[]): number {
  const deviation = Math.sqrt(mean(ofArms.map((values) => standardDeviation(values) ** 2)));
  const needed = deviation === 0 ? 0 : seedsNeeded((plannedGain - goal) / deviation, { level: 0.05, power: 0.8 });
  return Math.min(mostConfirmationSeeds, Math.max(leastConfirmationSeeds, needed ?? mostConfirmationSeeds));
}

/** Of the fresh seeds alone, which had no part in choosing the arm; undefined while none is complete. */
export function summarizeConfirmation(
  lines: readonly Line[],
  world: World,
  best: Candidate | undefined,
): ConfirmationSummary | undefined {
  const seeds = best === undefined ? [] : completeSeeds(lines, world, 'confirmation', best);
  if (best === undefined || seeds.length === 0) return undefined;
  const { of, over, tokens } = figures(lines, world, seeds);
  const hasParts = seeds.every((seed) =>
    cellsOf(world, seed, best).every(({ share }) => isDone(lines, { world, seed, arm: best, share })),
  );
  const whole = mean(tokens('uniform', 'whole'));
  const curve = shares.map((share) => ({
    tokens: mean(tokens(best, share)) / whole,
    score: mean(of(best, ({ score }) => score, share)),
  }));
  const hasPairs = world === 'demo';
  const scores = {
    round0: mean(of('uniform', ({ round0 }) => round0)),
    noNewData: mean(of('noNewData')),
    uniform: mean(of('uniform')),
    best: mean(of(best)),
    ...(hasPairs && { sftDpo: mean(of('sftDpo')) }),
  };
  return {
    seeds: seeds.length,
    scores,
    bestOverUniform: over(best, 'uniform'),
    bestOverNoNewData: over(best, 'noNewData'),
    pairs: hasPairs
      ? {
          score: over('sftDpo', best),
          blind: over('sftDpo', best, ({ blind }) => blind),
          forgotten: over('sftDpo', best, ({ forgotten }) => forgotten),
        }
      : undefined,
    tokensToUniform:
      world === 'demo' && hasParts
        ? shareToReach([{ tokens: 0, score: scores.noNewData }, ...curve], scores.uniform)
        : undefined,
  };
}

/**
 * After which tokens a score is reached, on straight lines between the points.
 *
 * @param points with tokens as a share of some other arm's, from no new data on
 * @returns null where no point has the score
 */
export function shareToReach(points: readonly { tokens: number; score: number }[], target: number): number | null {
  const sorted = points.toSorted((left, right) => left.tokens - right.tokens);
  for (const [index, { tokens, score }] of sorted.entries()) {
    if (score < target) continue;
    const before = sorted[index - 1];
    if (before === undefined) return tokens;
    return before.tokens + ((target - before.score) / (score - before.score)) * (tokens - before.tokens);
  }
  return null;
}

function completeSeeds(
  lines: readonly Line[],
  world: World,
  phase: ReturnType<typeof phaseOf>,
  best: Candidate | undefined,
): number[] {
  const seeds = new Set(
    lines.filter((line) => line.world === world && phaseOf(line.seed) === phase).map(({ seed }) => seed),
  );
  return [...seeds]
    .filter((seed) =>
      cellsOf(world, seed, best)
        .filter(({ share }) => share === 'whole')
        .every((cell) => isDone(lines, cell)),
    )
    .sort((left, right) => left - right);
}

/** Values of arms over the same seeds, in their order. */
function figures(lines: readonly Line[], world: World, seeds: readonly number[]) {
  const of = (arm: Arm, value: (line: Line) => number = ({ score }) => score, share: Share = 'whole') =>
    seeds.flatMap((seed) =>
      lines
        .filter((line) => line.world === world && line.seed === seed && line.arm === arm && line.share === share)
        .map(value),
    );
  const tokens = (arm: Arm, share: Share) =>
    of(arm, ({ teacherTokens }) => teacherTokens.prompt + teacherTokens.completion, share);
  const over = (arm: Arm, other: Arm, value?: (line: Line) => number): Difference => {
    const values = differences(of(arm, value), of(other, value));
    const [low, high] = confidenceInterval(values);
    return { arm, mean: mean(values), low, high, pValue: pairedTTest(values) };
  };
  return { of, over, tokens };
}

function differences(left: readonly number[], right: readonly number[]): number[] {
  return left.map((value, index) => value - (right[index] as number));
}

function highest<T>(all: readonly T[], scoreOf: (one: T) => number): T {
  return all.reduce((best, one) => (scoreOf(one) > scoreOf(best) ? one : best));
}
