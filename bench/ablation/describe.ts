/** The results as a table for people, and as the benchmark's JSON line. */
import type { Line } from './lines.ts';
import { type Arm, armNames, worlds } from './plan.ts';
import { type ConfirmationSummary, type Difference, summarizeConfirmation, summarizePilot } from './summarize.ts';

/** Percent and points, to one decimal. */
export function describeResults(lines: readonly Line[]): string[] {
  if (lines.length === 0) return ['No results yet: docs/experiment.md is the plan, and --run runs it.'];
  const pilot = summarizePilot(lines);
  const text = [`experiment ${lines[0]?.tag}, multiple choice on the test questions in percent`];
  text.push('', `Pilot, ${pilot.seeds} seeds (it chooses the arm, and claims nothing):`);
  if (pilot.seeds > 0) {
    text.push(`  ${'round 0'.padEnd(widest)} ${fixed(pilot.round0)}`);
    text.push(`  ${'uniform'.padEnd(widest)} ${fixed(pilot.scores.uniform)}`);
    for (const one of pilot.overUniform)
      text.push(`  ${one.arm.padEnd(widest)} ${fixed(pilot.scores[one.arm])}  ${points(one)}, Holm ${p(one.holm)}`);
  }
  if (pilot.best !== undefined)
    text.push(`  chosen: ${pilot.best}, to be confirmed on ${pilot.seedsWanted} fresh seeds`);
  for (const world of worlds) {
    const confirmed = summarizeConfirmation(lines, world, pilot.best);
    if (confirmed !== undefined) text.push('', ...describeConfirmation(world, confirmed));
  }
  return text;
}

const widest = Math.max(...armNames.map(({ length }) => length));

function describeConfirmation(world: string, { seeds, scores, ...rest }: ConfirmationSummary): string[] {
  const { bestOverUniform, bestOverNoNewData, pairs, tokensToUniform } = rest;
  const rows = Object.entries(scores).map(([name, score]) => `  ${name.padEnd(widest)} ${fixed(score)}`);
  const tokens =
    tokensToUniform === undefined
      ? []
      : [
          `  uniform's score ${tokensToUniform === null ? 'is not reached' : `takes ${(100 * tokensToUniform).toFixed(0)} % of its tokens`}`,
        ];
  return [
    `Confirmation in the world ${world}, ${seeds} fresh seeds:`,
    ...rows,
    `  ${bestOverUniform.arm} over uniform: ${points(bestOverUniform)}`,
    `  ${bestOverNoNewData.arm} over no new data: ${points(bestOverNoNewData)}`,
    ...(pairs
      ? [
          `  with preference pairs, over ${bestOverUniform.arm} alone: ${points(pairs.score)}`,
          `    without images: ${points(pairs.blind)}; forgotten: ${points(pairs.forgotten)}`,
        ]
      : []),
    ...tokens,
  ];
}

function points({ mean, low, high, pValue }: Difference): string {
  return `${signed(mean)} [${signed(low)}, ${signed(high)}] points, p ${p(pValue)}`;
}

const fixed = (value: number) => value.toFixed(1);
const signed = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(1)}`;
const p = (value: number) => (value < 0.001 ? '< 0.001' : value.toFixed(3));

/** The line that the benchmark ends with. */
export function jsonOfResults(lines: readonly Line[]): object {
  const pilot = summarizePilot(lines);
  const confirmed = summarizeConfirmation(lines, 'demo', pilot.best);
  const mild = summarizeConfirmation(lines, 'mild', pilot.best);
  return {
    bench: 'ablation',
    tag: lines[0]?.tag,
    seeds: confirmed?.seeds ?? 0,
    pilotSeeds: pilot.seeds,
    pilot: pilot.seeds === 0 ? undefined : { round0: rounded(pilot.round0), ...roundedScores(pilot.scores) },
    ...(confirmed && {
      confirm: roundedScores(confirmed.scores),
      bestOverUniform: roundedDifference(confirmed.bestOverUniform),
      ...(confirmed.pairs && {
        sftDpoOverBest: roundedDifference(confirmed.pairs.score),
        blindRise: roundedDifference(confirmed.pairs.blind),
        forgottenRise: roundedDifference(confirmed.pairs.forgotten),
      }),
      tokensToUniform:
        typeof confirmed.tokensToUniform === 'number'
          ? rounded(confirmed.tokensToUniform, 100)
          : confirmed.tokensToUniform,
    }),
    mild: mild && { seeds: mild.seeds, bestOverUniform: roundedDifference(mild.bestOverUniform) },
  };
}

function roundedScores(scores: Readonly<Record<string, number | undefined>>): Record<string, number> {
  const known = Object.entries(scores).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return Object.fromEntries(known.map(([name, score]) => [name, rounded(score)]));
}

function roundedDifference({ arm, mean, low, high }: Difference): {
  arm: Arm;
  mean: number;
  low: number;
  high: number;
} {
  return { arm, mean: rounded(mean), low: rounded(low), high: rounded(high) };
}

function rounded(value: number, by = 10): number {
  return Math.round(value * by) / by;
}
