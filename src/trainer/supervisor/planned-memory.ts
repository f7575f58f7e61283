import { familyOf } from '../../model/families/index.ts';
import { readModelConfig } from '../../model/files/model-config.ts';
import type { JobSpec } from '../protocol.ts';

/**
 * Bytes that a job of our own trainer should take, as `dataengine model plan` says for its longest sample; undefined for jobs
 * without a plan.
 */
export async function plannedMemory(job: JobSpec): Promise<number | undefined> {
  if (job.kind !== 'finetune') return undefined;
  // Traces the training step: for a failure alone.
  const { longestShape, planMemory } = await import('../jobs/finetune/memory-plan.ts');
  const { productTypeOf } = await import('../../model/ops/tensorflow.ts');
  const config = await readModelConfig(job.model);
  const { lora, microBatchSize, batchSize, computeDtype, learningRate, ...settings } = job;
  const shape = longestShape({ ...job, imageTokens: familyOf(config).imageTokens });
  return planMemory(config, lora, shape, {
    ...settings,
    rateFactors: learningRate.byPart,
    parts: batchSize / microBatchSize,
    productType: productTypeOf(computeDtype),
  }).peak;
}
