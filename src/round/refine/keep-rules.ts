import { type EngineSample, readEngineData } from '../../datasets/engine-data.ts';
import { metricOf } from '../../evaluation/metrics/index.ts';
import type { AnswerToRefine, KeepRules } from '../../generation/refine.ts';
import { generatedData } from '../append/generated-data.ts';
import { leakFinderOf } from '../evaluation-set.ts';
import { lineageBefore } from '../gate/lineage.ts';
import type { StepContext } from '../step-context.ts';
import { findTooLong, type LengthCheck } from './sample-length.ts';

/** By the metric of the validation questions, which the samples are for. */
function unscorable({ data }: StepContext['config']): KeepRules['unscorable'] {
  const { metric } = data.validation.questions ?? {};
  return metric && metricOf(metric).referenceProblem;
}

/** What of these answers is kept, by the config, the model, the earlier rounds and the evaluation. */
export async function keepRules(
  context: StepContext,
  answers: readonly AnswerToRefine[],
  checkLength: LengthCheck,
): Promise<KeepRules> {
  const { config, run, round } = context;
  const earlierSamples: EngineSample[] = [];
  const earlier = await generatedData(run, await lineageBefore(context, round));
  for (const { file } of earlier) earlierSamples.push(...(await readEngineData(file)));
  const { nearDuplicateSimilarity: similarity, maximumAlike } = config.refine;
  const imageIds = answers.map(({ image_id }) => image_id);
  return {
    earlierSamples,
    duplicates: { similarity, maximumAlike },
    tooLong: await findTooLong(answers, checkLength),
    findLeak: await leakFinderOf(context, imageIds),
    unscorable: unscorable(config),
  };
}
