/** `config.json` of the whole from those of the parts, or from the shapes of their tensors. */
import path from 'node:path';
import { z } from 'zod';
import { InputError } from '../../../../core/input-error.ts';
import { readSettings } from '../../../../core/read-json.ts';
import type { Parts } from './parts.ts';

const llamaConfigSchema = z.looseObject({
  model_type: z.literal('llama'),
  tie_word_embeddings: z.boolean().default(false),
});
const blip2ConfigSchema = z.looseObject({
  model_type: z.literal('blip-2'),
  num_query_tokens: z.number().int().optional(),
  vision_config: z.looseObject({}).default({}),
  qformer_config: z.looseObject({}).default({}),
});

/** Keys about how a model was saved, not what it is. */
const ofTheFile = ['_name_or_path', 'architectures', 'dtype', 'torch_dtype', 'transformers_version'];

/** The `text_config`: LLaMA's own `config.json`. */
export async function llamaConfig(directory: string): Promise<z.output<typeof llamaConfigSchema>> {
  const config = await readSettings(path.join(directory, 'config.json'), llamaConfigSchema);
  return Object.fromEntries(Object.entries(config).filter(([key]) => !ofTheFile.includes(key))) as typeof config;
}

/** The vision side's part of `config.json`, from a BLIP-2 directory in Hugging Face's layout. */
export async function visionConfigOf(directory: string): Promise<Record<string, unknown>> {
  const { num_query_tokens, vision_config, qformer_config } = await readSettings(
    path.join(directory, 'config.json'),
    blip2ConfigSchema,
  );
  return { num_query_tokens, vision_config, qformer_config };
}

/** Sizes of heads, which no shape shows: EVA ViT-g has 16 of 88, BERT's are 64. */
const EVA_HEAD = 88;
const BERT_HEAD = 64;

/**
 * The same from tensors alone: LAVIS's checkpoints have no config. What shapes don't show is as in `eva_vit.py` and
 * `Qformer.py` of MiniGPT-4.
 *
 * @param place named in errors
 */
export function visionConfigFrom(parts: Parts, place: string): Record<string, unknown> {
  const shape = (name: string): readonly number[] => {
    const tensor = parts.get(name);
    if (tensor) return tensor.shape;
    throw new InputError({
      file: place,
      field: name,
      problem: 'is missing',
      remedy: 'Check that this is the right file',
    });
  };
  const count = (pattern: RegExp) =>
    1 + Math.max(-1, ...[...parts.keys()].map((name) => Number(pattern.exec(name)?.[1] ?? -1)));
  const [hidden, , patch] = shape('vision_model.embeddings.patch_embedding.weight') as [number, number, number];
  const [, positions] = shape('vision_model.embeddings.position_embedding') as [number, number];
  const [, queries, width] = shape('query_tokens') as [number, number, number];
  const crossing = [...parts.keys()].flatMap(
    (name) => /^qformer\.encoder\.layer\.(\d+)\.crossattention\.attention\.query\.weight$/.exec(name)?.[1] ?? [],
  );
  const [first = 0, second = first + 1] = crossing.map(Number).sort((a, b) => a - b);
  return {
    num_query_tokens: queries,
    vision_config: {
      model_type: 'blip_2_vision_model',
      hidden_size: hidden,
      intermediate_size: shape('vision_model.encoder.layers.0.mlp.fc1.weight')[0],
      num_hidden_layers: count(/^vision_model\.encoder\.layers\.(\d+)\./),
      num_attention_heads: heads(hidden, EVA_HEAD),
      image_size: Math.round(Math.sqrt(positions - 1)) * patch,
      patch_size: patch,
      layer_norm_eps: 1e-6,
      qkv_bias: true,
    },
    qformer_config: {
      model_type: 'blip_2_qformer',
      hidden_size: width,
      intermediate_size: shape('qformer.encoder.layer.0.intermediate_query.dense.weight')[0],
      num_hidden_layers: count(/^qformer\.encoder\.layer\.(\d+)\./),
      num_attention_heads: heads(width, BERT_HEAD),
      cross_attention_frequency: second - first,
      encoder_hidden_size: hidden,
      layer_norm_eps: 1e-12,
    },
  };
}

function heads(hidden: number, headSize: number): number {
  return Math.max(1, Math.round(hidden / headSize));
}
