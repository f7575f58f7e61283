/** The preference pairs of a round: its samples, and what the model that it builds upon chose in `select`. */
import { join } from 'node:path';
import type { Preference } from '../../config/preference-schema.ts';
import { readJsonLines } from '../../core/read-json.ts';
import { type EngineSample, readEngineData } from '../../datasets/engine-data.ts';
import {
  counterfactualPairs,
  type PreferencePair,
  preferencePairSchema,
  preferencePairs,
} from '../../datasets/preference-pairs.ts';
import { finishedStep } from '../finished-step.ts';
import { choiceLossesFile, readChoiceLosses } from '../select/results.ts';
import type { StepContext } from '../step-context.ts';
import { engineDataFile } from './generated-data.ts';

export const pairsFile = 'pairs.jsonl';

type Place = Pick<StepContext, 'run' | 'round'>;

/**
 * What the pairs are made of, besides the samples: their sources, and the hash of the model's choices.
 *
 * @throws InputError when `select` has not finished
 */
export async function inputsOfPairs({ run, round }: Place, { sources }: Preference): Promise<object> {
  const others = sources.filter((source) => source !== 'ownChoices');
  return {
    ...(sources.includes('ownChoices') && {
      choices: (await finishedStep(run, round, 'select')).manifest.outputs[choiceLossesFile],
    }),
    ...(others.length > 0 && { pairSources: others }),
  };
}

/**
 * The pairs of the samples that a round appends: those of the model's own choices, then the counterfactual ones, each in the order
 * of the samples. None is there twice.
 *
 * @param samples as they are trained on, after their review
 * @throws InputError when `refine` or `select` has not finished
 */
export async function pairsOf(
  place: Place,
  { sources }: Preference,
  samples: readonly EngineSample[],
): Promise<PreferencePair[]> {
  const own = sources.includes('ownChoices') ? await ownChoices(place, samples) : [];
  if (!sources.includes('counterfactual')) return own;
  const known = new Set(own.map(keyOf));
  return [...own, ...counterfactualPairs(samples).filter((pair) => !known.has(keyOf(pair)))];
}

const keyOf = ({ image_id, question, choices, rejected_choice_idx }: PreferencePair) =>
  JSON.stringify([image_id, question, choices, rejected_choice_idx]);

async function ownChoices({ run, round }: Place, samples: readonly EngineSample[]): Promise<PreferencePair[]> {
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
