/** The models of the speed benchmarks, with random weights: their speed is that of trained ones. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { familyOf, modelConfigSchema } from '../../src/model/families/index.ts';
import { writeModelDirectory } from '../../src/model/files/model-directory.ts';
import { flatParameters } from '../../src/model/flat-parameters.ts';
import { initialTensor } from '../../src/model/initialize.ts';
import { saveAdapter } from '../../src/trainer/jobs/finetune/adapter-files.ts';
import { adaptedModules, initialLora, loraShapes } from '../../src/trainer/jobs/finetune/lora.ts';
import type { LoraSettings } from '../../src/trainer/protocol.ts';

export type Size = 'S' | 'M';

export const LORA: LoraSettings = { rank: 8, alpha: 16, dropout: 0, targetModules: ['q_proj', 'k_proj'] };
export const ADAPTER_SEED = 1;

/** The language model of the demo, four layers of it, and SmolLM2-135M's shape. */
const TEXT = {
  S: {
    hidden_size: 192,
    intermediate_size: 512,
    num_hidden_layers: 4,
    num_attention_heads: 6,
    num_key_value_heads: 2,
    vocab_size: 705,
    rope_theta: 10_000,
  },
  M: {
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    vocab_size: 49_152,
    rope_theta: 100_000,
  },
} as const;

/** Batches of the training benchmark; the loss is on the last third of the tokens. */
export const BATCHES = { S: { batch: 16, tokens: 96 }, M: { batch: 4, tokens: 128 } } as const;

export const vocabularyOf = (size: Size): number => TEXT[size].vocab_size;

/** Places that an image takes among the tokens. */
export const QUERIES = 1;

/** A vision side as small as it can be: images are no part of what is measured. */
const TINY = { hidden_size: 32, intermediate_size: 32, num_hidden_layers: 1, num_attention_heads: 1 };

function configOf(size: Size) {
  return modelConfigSchema.parse({
    model_type: 'blip-2',
    architectures: ['Blip2ForConditionalGeneration'],
    num_query_tokens: QUERIES,
    vision_config: { ...TINY, image_size: 28, patch_size: 14 },
    qformer_config: { ...TINY, encoder_hidden_size: 32 },
    text_config: { ...TEXT[size], model_type: 'llama', rms_norm_eps: 1e-5, tie_word_embeddings: true },
  });
}

/** Writes the model and a fresh adapter, if an earlier run did not. */
export async function benchModel(size: Size): Promise<{ model: string; adapter: string }> {
  const model = path.join('.cache/bench/models', size);
  const adapter = `${model}-adapter`;
  const config = configOf(size);
  if (!existsSync(path.join(model, 'config.json'))) {
    const layers = config.text_config.num_hidden_layers;
    const tensors = [...familyOf(config).expectedTensors()].map(([name, shape]) => ({
      name,
      shape,
      data: initialTensor(name, shape, 1, layers),
    }));
    await writeModelDirectory(model, { config, tensors });
  }
  const layout = flatParameters(loraShapes(adaptedModules(config, LORA.targetModules), LORA.rank));
  const start = new Float32Array(layout.total);
  let offset = 0;
  for (const values of initialLora(layout.shapes, ADAPTER_SEED)) {
    start.set(values, offset);
    offset += values.length;
  }
  const settings = { lora: LORA, model, config };
  await saveAdapter(adapter, settings, layout, start);
  return { model, adapter };
}
