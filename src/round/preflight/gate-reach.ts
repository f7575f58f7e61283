import type { Config } from '../../config/schema.ts';

/** A gate that finds drops of so many points, or smaller ones, needs no word. */
const pointsWorthAWord = 5;

/**
 * What the gate can't find, in words; nothing where it has questions enough. Where all questions that two models answer
 * differently were lost, n of them have a p-value of 2^-n (McNemar's exact test, one-sided).
 *
 * @param questions the validation questions
 */
export function describeGate({ gate }: Pick<Config, 'gate'>, questions: readonly unknown[]): string[] {
  const count = questions.length;
  if (count === 0 || gate.level >= 1) return [];
  const fewest = Math.ceil(-Math.log2(gate.level));
  const how = '`dataengine power --difference 5 --disagreement 20` says how many it takes';
  if (count < fewest) {
    return [
      `The gate can never reject a round: ${count} validation questions are too few for gate.level ${gate.level} (${fewest} are the least); ${how}.`,
    ];
  }
  const points = Math.max((100 * fewest) / count, 100 * gate.tolerance);
  if (points <= pointsWorthAWord) return [];
  return [
    `The gate can reject a round only for a drop of at least ${points.toFixed(1)} points: there are ${count} validation questions; ${how}.`,
  ];
}
