import { type EngineSample, readEngineData } from '../datasets/engine-data.ts';
import type { KeepRules } from '../generation/refine.ts';
import { generatedData } from './engine-data-files.ts';
import { leakFinderOf } from './evaluation-set.ts';
import type { StepContext } from './step-context.ts';

/** What of these answers is kept, by the config, the earlier rounds and the evaluation. */
export async function keepRules(
  { config, run, round, signal }: StepContext,
  answers: readonly { image_id: number }[],
): Promise<KeepRules> {
  const earlierSamples: EngineSample[] = [];
  for (const { file } of await generatedData(run, round - 1)) earlierSamples.push(...(await readEngineData(file)));
  const { nearDuplicateSimilarity: similarity, maximumAlike } = config.refine;
  const imageIds = answers.map(({ image_id }) => image_id);
  return {
    earlierSamples,
    duplicates: { similarity, maximumAlike },
    findLeak: await leakFinderOf(config, imageIds, signal),
  };
}
