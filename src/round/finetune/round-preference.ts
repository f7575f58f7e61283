/** What a round's finetune learns from preference pairs: its own and those of the rounds it is built upon. */
import { preferenceOf } from '../../config/preference-schema.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import { type PreferenceSample, pairOrder, preferenceSample } from '../../datasets/preference-pairs.ts';
import type { FinetuneJob } from '../../trainer/protocol.ts';
import { appendedPairs } from '../append/pairs.ts';
import { poolFolder } from '../dataset-paths.ts';
import { finishedStep } from '../finished-step.ts';
import type { StepContext } from '../step-context.ts';
import { adapterFile } from './results.ts';
import { preferenceFiles } from './round-mixture.ts';

export interface RoundPreference {
  /** What the adapter depends on. */
  inputs: object;
  /** Writes what the trainer reads, with the paths of this machine. */
  write(finetuneDirectory: string, steps: number): Promise<NonNullable<FinetuneJob['preference']>>;
}

/**
 * Undefined where the config has no pairs, and in a round without any: round 0, and one whose samples the model answers rightly.
 *
 * @param lineage the rounds that this one is built upon
 */
export async function roundPreference(
  context: Pick<StepContext, 'config' | 'run' | 'round'>,
  lineage: readonly number[],
): Promise<RoundPreference | undefined> {
  const { config, run, round } = context;
  const preference = preferenceOf(config.finetune);
  const lastGood = lineage.at(-1);
  if (preference === undefined || lastGood === undefined) return undefined;
  const pairs = await appendedPairs({ run }, [...lineage, round]);
  if (pairs.length === 0) return undefined;
  // What the pairs were made of is in their hashes.
  const { sources: _, ...settings } = preference;
  const { reference, sftWeight, ...learned } = settings;
  const { objective } = config.finetune;
  const previous =
    reference === 'previousRound' ? await finishedStep(run, lastGood, 'finetune', { weights: true }) : undefined;
  return {
    inputs: {
      ...settings,
      objective,
      pairs: pairs.map(({ hash }) => hash),
      referenceAdapter: previous?.manifest.outputs[adapterFile],
    },
    write: async (finetuneDirectory, steps) => {
      const pool = poolFolder(config);
      const samples: PreferenceSample[] = [];
      for (const { round: of, read } of pairs) {
        for (const [index, pair] of (await read()).entries()) {
          const image = await pool.fileOf(pair.image_id);
          samples.push(preferenceSample(pair, { id: `pair${of}-${index}`, source: `round${of}`, image }));
        }
      }
      const files = preferenceFiles(finetuneDirectory);
      await writeJsonLines(files.pairs, samples);
      await writeJson(files.order, pairOrder(samples.length, steps * settings.batchSize, config.seed));
      return {
        ...files,
        ...learned,
        sftWeight: objective === 'dpo' ? 0 : sftWeight,
        referenceAdapter: previous?.directory,
      };
    },
  };
}
