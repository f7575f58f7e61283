/**
 * What the experiment compares, on which seeds: docs/experiment.md in code. A change here, once results are committed, makes
 * another experiment: its tag is another one, and lines of two tags are not mixed.
 */
import type { Config } from '../../src/config/schema.ts';

type Sampling = Partial<Config['sampling']>;

/** How an arm draws; undefined: it draws nothing, and trains on for as many steps, or draws as another arm does. */
export const arms = {
  noNewData: undefined,
  uniform: { strategy: 'uniform' },
  adaptive: { strategy: 'adaptive' },
  expectedGain: { strategy: 'expected-gain' },
  highLoss: { strategy: 'high-loss' },
  difficultyWindow: { strategy: 'difficulty-window' },
  /** What the draw of types alone is worth, and that of images. */
  weightedTypesRandomImages: { strategy: 'adaptive', images: 'random' },
  randomTypesNearImages: { strategy: 'uniform', images: 'near' },
  /** Draws as the arm that the pilot chooses, and learns from preference pairs too. */
  sftDpo: undefined,
} as const satisfies Record<string, Sampling | undefined>;

export type Arm = keyof typeof arms;
export const armNames = Object.keys(arms) as Arm[];
/** Preference pairs are not what the pilot chooses among. */
export type PilotArm = Exclude<Arm, 'sftDpo'>;
export const pilotArms = armNames.filter((arm): arm is PilotArm => arm !== 'sftDpo');

/** The arms of which the pilot chooses one. */
export const candidates = ['adaptive', 'expectedGain', 'highLoss', 'difficultyWindow'] as const satisfies Arm[];
export type Candidate = (typeof candidates)[number];

/** The base data's shares of types: as the demo has them, and milder. */
export const worlds = ['demo', 'mild'] as const;
export type World = (typeof worlds)[number];

/** Parts of the requests; besides all of them, scored for `tokensToUniform` alone. */
export const shares = ['third', 'half', 'whole'] as const;
export type Share = (typeof shares)[number];
export const shareOf: Readonly<Record<Share, number>> = { third: 1 / 3, half: 1 / 2, whole: 1 };

export type Phase = 'pilot' | 'confirmation';

/** Seeds 5 to 10 are left out: earlier versions of the demo were tuned and shown on some of them. */
const pilotSeeds = { first: 1, last: 4 };
const firstFreshSeed = 11;
/** No fewer confirm an arm. */
export const leastConfirmationSeeds = 8;
export const leastMildSeeds = 4;

/** @throws RangeError for a seed of neither */
export function phaseOf(seed: number): Phase {
  if (seed >= pilotSeeds.first && seed <= pilotSeeds.last) return 'pilot';
  if (Number.isInteger(seed) && seed >= firstFreshSeed) return 'confirmation';
  throw new RangeError(
    `Seed ${seed} is neither of the pilot (${pilotSeeds.first} to ${pilotSeeds.last}) nor a fresh one (from ${firstFreshSeed})`,
  );
}

/** A run that the experiment takes. */
export interface Cell {
  world: World;
  seed: number;
  arm: Arm;
  /** Of `sftDpo`: the arm that it draws as. */
  on?: Candidate | undefined;
  share: Share;
}

/**
 * The runs of a seed in their order. Round 0 is that of the first.
 *
 * @param best the arm that the pilot has chosen; not known before
 * @throws RangeError for a seed that the plan does not have in this world, and a confirmation without a chosen arm
 */
export function cellsOf(world: World, seed: number, best: Candidate | undefined): Cell[] {
  const phase = phaseOf(seed);
  if (phase === 'pilot') {
    if (world !== 'demo')
      throw new RangeError(`The pilot is of the world demo alone; seed ${seed} is one of its seeds`);
    return pilotArms.map((arm) => ({ world, seed, arm, share: 'whole' }));
  }
  if (best === undefined) throw new RangeError(`Seed ${seed} confirms an arm, and the pilot has not chosen one yet`);
  const whole = (['noNewData', 'uniform', best] as const).map((arm): Cell => ({ world, seed, arm, share: 'whole' }));
  const parts = (['third', 'half'] as const).flatMap((share): Cell[] => [
    { world, seed, arm: 'uniform', share },
    { world, seed, arm: best, share },
  ]);
  const pairs: Cell = { world, seed, arm: 'sftDpo', on: best, share: 'whole' };
  return world === 'demo' ? [...whole, pairs, ...parts] : whole;
}
