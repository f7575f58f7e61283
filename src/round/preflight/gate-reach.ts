import type { Config } from '../../config/schema.ts';
import { fewestQuestions } from '../../evaluation/describe-change.ts';

/** A gate that finds drops of so many points, or smaller ones, needs no word. */
const pointsWorthAWord = 5;

/**
 * What the gate can't find, in words; nothing where it has questions enough. Types are tested too: one of them may be worse
 * where all questions together are not.
 *
 * @param questions the validation questions
 */
export function describeGate({ gate }: Pick<Config, 'gate'>, questions: readonly unknown[]): string[] {
  const count = questions.length;
  if (count === 0 || gate.level >= 1) return [];
  const fewest = fewestQuestions(gate.level);
  const how = '`dataengine power --difference 5 --disagreement 20` says how many it takes';
  if (count < fewest) {
    return [
      `The gate can never reject a round: ${count} validation questions are too few for gate.level ${gate.level} (${fewest} are the least); ${how}.`,
    ];
  }
  const points = Math.max((100 * fewest) / count, 100 * gate.tolerance);
  if (points <= pointsWorthAWord) return [];
  return [
    `The gate can reject a round only for a drop of at least ${points.toFixed(1)} points, or for a question type that got worse: there are ${count} validation questions; ${how}.`,
  ];
}
