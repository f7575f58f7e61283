/** The preference pairs of a round: its samples, and what the model that it builds upon chose in `select`. */
import { join } from 'node:path';
import { readJsonLines } from '../../core/read-json.ts';
import { type EngineSample, readEngineData } from '../../datasets/engine-data.ts';
import { type PreferencePair, preferencePairSchema, preferencePairs } from '../../datasets/preference-pairs.ts';
import { finishedStep } from '../finished-step.ts';
import { choiceLossesFile, readChoiceLosses } from '../select/results.ts';
import type { StepContext } from '../step-context.ts';
import { engineDataFile } from './generated-data.ts';

export const pairsFile = 'pairs.jsonl';

type Place = Pick<StepContext, 'run' | 'round'>;

/** Hash of the choices that the pairs are made of. @throws InputError when `select` has not finished */
export async function hashOfChoices({ run, round }: Place): Promise<string | undefined> {
  return (await finishedStep(run, round, 'select')).manifest.outputs[choiceLossesFile];
}

/**
 * The pairs of the samples that a round appends, in their order.
 *
 * @param samples as they are trained on, after their review
 * @throws InputError when `refine` or `select` has not finished
 */
export async function pairsOf({ run, round }: Place, samples: readonly EngineSample[]): Promise<PreferencePair[]> {
  const refined = await finishedStep(run, round, 'refine');
  const asked = await readEngineData(join(refined.directory, engineDataFile(round)));
  const { directory } = await finishedStep(run, round, 'select');
  const losses = await readChoiceLosses(directory, asked.length);
  return preferencePairs(
    samples,
    asked.map(({ image_id, question, choices }, index) => ({
      image_id,
      question,
      choices,
      losses: losses[index] as number[],
    })),
  );
}

/** A round's pairs, by reference. */
export interface RoundPairs {
  round: number;
  hash: string;
  read(): Promise<PreferencePair[]>;
}

/**
 * The pairs of some rounds, such as those that are built upon. Round 0 has none, and neither has a round that was appended
 * without any.
 *
 * @throws InputError when one of these rounds has not appended its data
 */
export async function appendedPairs({ run }: Pick<Place, 'run'>, rounds: readonly number[]): Promise<RoundPairs[]> {
  const found: RoundPairs[] = [];
  for (const round of rounds.filter((number) => number > 0)) {
    const { directory, manifest } = await finishedStep(run, round, 'append');
    const hash = manifest.outputs[pairsFile];
    if (hash === undefined || manifest.metrics.pairs === 0) continue;
    found.push({ round, hash, read: () => readJsonLines(join(directory, pairsFile), preferencePairSchema) });
  }
  return found;
}
