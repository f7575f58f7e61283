/** What `dataengine model plan` prints. */

import { evaluationNumberFormats } from '../../src/config/evaluate-schema.ts';
import { preferenceOf } from '../../src/config/preference-schema.ts';
import type { Config } from '../../src/config/schema.ts';
import { familyOf, type ModelConfig } from '../../src/model/families/index.ts';
import { readModelConfig } from '../../src/model/files/model-config.ts';
import { BYTES_PER_VALUE, productTypeOf } from '../../src/model/ops/tensorflow.ts';
import { sizeOf } from '../../src/model/ops/value.ts';
import { adaptedModules } from '../../src/trainer/jobs/finetune/lora.ts';
import { longestShape, type MemoryPlan, planMemory } from '../../src/trainer/jobs/finetune/memory-plan.ts';
import { pairsAtOnce } from '../../src/trainer/jobs/finetune/pairs.ts';

/** The memory of a GPU's driver, CUDA's libraries and TensorFlow's allocator beside the tensors: an estimate. */
const RESERVED_BYTES = 1.5e9;

export interface PlannedFinetune extends MemoryPlan {
  shape: { batch: number; tokens: number; targets: number };
  parts: number;
  /** Bytes of the language model's weights while it is evaluated, and while a merge is checked. */
  otherWeights: { evaluation: number; mergeCheck: number };
}

/**
 * Plans the finetune of a config.
 *
 * @param tokens of the longest sample, text only. Default: finetune.maximumTokens, the most there can be
 * @throws InputError when the model's `config.json` is missing or not supported; its weights may be missing
 */
export async function planFinetune(config: Config, tokens?: number): Promise<PlannedFinetune> {
  const model = await readModelConfig(config.model.path);
  const {
    lora,
    batchSize,
    microBatchSize = batchSize,
    computeDtype,
    maximumTokens,
    maximumSequence,
    ...rest
  } = config.finetune;
  const shape = longestShape({
    microBatchSize,
    maximumTokens: Math.min(tokens ?? maximumTokens, maximumTokens),
    maximumSequence,
    imageTokens: familyOf(model).imageTokens,
  });
  const parts = batchSize / microBatchSize;
  const preference = preferenceOf(config.finetune);
  const pairs = preference && {
    ...preference,
    shapes: [{ ...shape, batch: 2 * pairsAtOnce(preference.batchSize, microBatchSize) }],
  };
  const plan = planMemory(model, lora, shape, {
    ...rest,
    rateFactors: rest.learningRate.byPart,
    seed: config.seed,
    parts,
    pairs,
    productType: productTypeOf(computeDtype),
  });
  return { ...plan, shape, parts, otherWeights: weightsOutsideTraining(model, config) };
}

/** As `frozenWeights` keeps them: vectors in float32, and in the check of a merge the adapted matrices too. */
function weightsOutsideTraining(model: ModelConfig, config: Config): PlannedFinetune['otherWeights'] {
  const { finetune } = config;
  const evaluation = evaluationNumberFormats(config);
  const adapted = new Set(adaptedModules(model, finetune.lora.targetModules).map(({ name }) => `${name}.weight`));
  const bytes = { evaluation: 0, mergeCheck: 0 };
  for (const [name, shape] of familyOf(model).expectedTensors()) {
    if (!name.startsWith('language_model.')) continue;
    const size = (storage: 'float32' | 'bfloat16') =>
      sizeOf(shape) * BYTES_PER_VALUE[shape.length === 2 ? storage : 'float32'];
    bytes.evaluation += size(evaluation.weightDtype);
    bytes.mergeCheck += size(adapted.has(name) ? 'float32' : finetune.weightDtype);
  }
  return bytes;
}

/**
 * The plan as lines.
 *
 * @param memory of the device, bytes
 */
export function formatPlan(plan: PlannedFinetune, finetune: Config['finetune'], memory?: number): string {
  const { weights, adapters, optimizer, activations, projection, images, peak, parameters, shape, parts } = plan;
  const { otherWeights } = plan;
  const row = (name: string, bytes: number, note = '') =>
    `  ${name.padEnd(12)}${gigabytes(bytes).padStart(10)}  ${note}`;
  const count = (value: number) => `${(value / 1e6).toFixed(1)} million`;
  const partsNote = parts === 1 ? '' : `, ${parts} parts a step`;
  const recomputed = finetune.activationCheckpointing ? ', layers recomputed' : '';
  const lines = [
    'Training',
    row(
      'weights',
      weights,
      `${count(parameters.weights)} frozen parameters, matrices of the language model in ${finetune.weightDtype}`,
    ),
    row('adapters', adapters, `${count(parameters.adapters)} parameters, float32`),
    row('optimizer', optimizer, parts === 1 ? "AdamW's moments" : "AdamW's moments, and the summed gradients"),
    row('activations', activations, `${shape.batch} samples of ${shape.tokens} tokens${partsNote}${recomputed}`),
    row('projection', projection, 'of the vision features, float32'),
    row('in all', weights + adapters + optimizer + activations + projection),
    ...(images > 0
      ? ['Images, before training', row('in all', images, 'the vision encoder, float32')]
      : ['Images: in each step, as the vision side is trained; no image feature is kept']),
    'Weights outside of training',
    row('evaluation', otherWeights.evaluation),
    row('merge check', otherWeights.mergeCheck, 'adapted matrices in float32'),
    `Peak of the finetune ${gigabytes(peak).trim()}, with some ${gigabytes(RESERVED_BYTES).trim()} more on a GPU for its driver and libraries.`,
  ];
  if (memory !== undefined) {
    const spare = memory - peak - RESERVED_BYTES;
    const result = `${spare >= 0 ? 'fits' : 'does not fit'} ${gigabytes(memory).trim()}`;
    lines.push(`It ${result}: ${gigabytes(Math.abs(spare)).trim()} ${spare >= 0 ? 'to spare' : 'too much'}.`);
    if (spare < 0) lines.push(...advice(finetune));
  }
  return lines.join('\n');
}

function advice(finetune: Config['finetune']): string[] {
  const { batchSize, microBatchSize = batchSize, activationCheckpointing, weightDtype } = finetune;
  const changes = [
    weightDtype === 'float32' && 'finetune.weightDtype: bfloat16, with computeDtype: bfloat16 where the GPU has it',
    !activationCheckpointing && 'finetune.activationCheckpointing: true',
    microBatchSize > 1 && `finetune.microBatchSize: ${Math.max(1, Math.floor(microBatchSize / 2))}, or less`,
  ];
  return changes.flatMap((change) => (change ? [`  less memory: ${change}`] : []));
}

const gigabytes = (bytes: number) =>
  bytes < 1e8 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
