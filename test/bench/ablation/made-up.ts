/** Lines of an experiment that nobody ran. */
import type { Line } from '../../../bench/ablation/lines.ts';
import {
  type Arm,
  armNames,
  type Candidate,
  type Cell,
  cellsOf,
  shareOf,
  type World,
} from '../../../bench/ablation/plan.ts';

export function madeUpLine(cell: Cell, score: number, changes: Partial<Line> = {}): Line {
  return {
    tag: 'experiment-1',
    ...cell,
    configHash: `${cell.world} ${cell.arm} ${cell.share}`,
    processor: 'a processor',
    round0: 50,
    score,
    blind: 30,
    forgotten: 10,
    errorByType: { counting: 0.5 },
    teacherTokens: {
      prompt: cell.arm === 'noNewData' ? 0 : Math.round(600_000 * shareOf[cell.share]),
      completion: cell.arm === 'noNewData' ? 0 : Math.round(300_000 * shareOf[cell.share]),
    },
    samples: 100,
    seconds: 60,
    finishedAt: '2026-12-01T00:00:00.000Z',
    ...changes,
  };
}

export function madeUpLines(
  world: World,
  seeds: readonly number[],
  best: Candidate | undefined,
  scoreOf: (cell: Cell) => number,
): Line[] {
  return seeds.flatMap((seed) => cellsOf(world, seed, best).map((cell) => madeUpLine(cell, scoreOf(cell))));
}

const uniform = [70, 70, 72, 73];
const gains: Record<Arm, readonly number[]> = {
  ...(Object.fromEntries(armNames.map((arm) => [arm, [0, 0, 0, 0]])) as Record<Arm, number[]>),
  noNewData: [-9, -8, -9, -10],
  adaptive: [3, 4, 2, 3],
  highLoss: [4, 5, 4, 5],
  difficultyWindow: [2, -1, 3, 1],
};

/** @param scores of arms that have the same on every seed */
export function pilotLines(scores: Partial<Record<Arm, number>> = {}): Line[] {
  return madeUpLines('demo', [1, 2, 3, 4], undefined, ({ seed, arm }) => {
    return scores[arm] ?? (uniform[seed - 1] as number) + (gains[arm][seed - 1] as number);
  });
}
