import path from 'node:path';
import { z } from 'zod';
import { readJson } from '../../store/read-json.ts';

const size = z.number().int().positive();
const tokenId = z.number().int().nonnegative();

const visionSchema = z.looseObject({
  hidden_size: size.default(1408),
  intermediate_size: size.default(6144),
  num_hidden_layers: size.default(39),
  num_attention_heads: size.default(16),
  image_size: size.default(224),
  patch_size: size.default(14),
  layer_norm_eps: z.number().positive().default(1e-6),
  qkv_bias: z.boolean().default(true),
  hidden_act: z.literal('gelu').default('gelu'),
});

const queryTransformerSchema = z.looseObject({
  hidden_size: size.default(768),
  intermediate_size: size.default(3072),
  num_hidden_layers: size.default(12),
  num_attention_heads: size.default(12),
  cross_attention_frequency: size.default(2),
  encoder_hidden_size: size.default(1408),
  layer_norm_eps: z.number().positive().default(1e-12),
  hidden_act: z.literal('gelu').default('gelu'),
  use_qformer_text_input: z.literal(false).default(false),
});

const plainRope = z.looseObject({ rope_type: z.literal('default') });
const linearRope = z.looseObject({ rope_type: z.literal('linear'), factor: z.number().positive() });
const llama3Rope = z.looseObject({
  rope_type: z.literal('llama3'),
  factor: z.number().positive(),
  low_freq_factor: z.number().positive(),
  high_freq_factor: z.number().positive(),
  original_max_position_embeddings: size,
});
const ropeScalingSchema = z.preprocess(
  withRopeType,
  z.discriminatedUnion('rope_type', [plainRope, linearRope, llama3Rope]),
);

const llamaSchema = z.preprocess(
  withSeparateRope,
  z.looseObject({
    model_type: z.literal('llama'),
    hidden_size: size.default(4096),
    intermediate_size: size.default(11008),
    num_hidden_layers: size.default(32),
    num_attention_heads: size.default(32),
    num_key_value_heads: size,
    head_dim: size.nullish().transform((value) => value ?? undefined),
    vocab_size: size.default(32000),
    rms_norm_eps: z.number().positive().default(1e-6),
    rope_theta: z.number().positive().default(10000),
    rope_scaling: ropeScalingSchema
      .nullish()
      .transform((scaling) => (scaling && scaling.rope_type !== 'default' ? scaling : undefined)),
    tie_word_embeddings: z.boolean().default(false),
    attention_bias: z.literal(false).default(false),
    mlp_bias: z.literal(false).default(false),
    hidden_act: z.literal('silu').default('silu'),
    max_position_embeddings: size.default(2048),
    bos_token_id: tokenId.nullish().transform((value) => value ?? undefined),
    eos_token_id: z
      .union([tokenId, z.array(tokenId).min(1)])
      .nullish()
      .transform((value) => value ?? undefined),
    pad_token_id: z
      .number()
      .int()
      .nullish()
      .transform((value) => value ?? undefined),
  }),
);

/**
 * `config.json` of MiniGPT-4 as `transformers` writes it for `Blip2ForConditionalGeneration` with a LLaMA
 * `text_config`. What is left out has the default of `transformers`; unknown keys are kept.
 */
export const modelConfigSchema = z
  .looseObject({
    model_type: z.literal('blip-2'),
    num_query_tokens: size.default(32),
    image_token_index: tokenId.nullish().transform((value) => value ?? undefined),
    vision_config: visionSchema,
    qformer_config: queryTransformerSchema,
    text_config: llamaSchema,
  })
  .superRefine((config, context) => {
    const { vision_config: vision, qformer_config: queryTransformer, text_config: text } = config;
    const problem = (message: string, ...path: string[]) => context.addIssue({ code: 'custom', message, path });
    if (queryTransformer.encoder_hidden_size !== vision.hidden_size) {
      problem(`must be vision_config.hidden_size, ${vision.hidden_size}`, 'qformer_config', 'encoder_hidden_size');
    }
    if (vision.image_size % vision.patch_size !== 0) {
      problem(`must be a multiple of patch_size, ${vision.patch_size}`, 'vision_config', 'image_size');
    }
    for (const part of ['vision_config', 'qformer_config', 'text_config'] as const) {
      const { hidden_size, num_attention_heads } = config[part];
      if (hidden_size % num_attention_heads !== 0 && !(part === 'text_config' && text.head_dim)) {
        problem(`must divide hidden_size, ${hidden_size}`, part, 'num_attention_heads');
      }
    }
    if (text.num_attention_heads % text.num_key_value_heads !== 0) {
      problem(`must divide num_attention_heads, ${text.num_attention_heads}`, 'text_config', 'num_key_value_heads');
    }
  });

/** A model's `config.json`, defaults filled in, `rope_theta` and `rope_scaling` whatever spelling the file had. */
export type ModelConfig = z.output<typeof modelConfigSchema>;

/**
 * Reads `config.json` of a model directory.
 *
 * @throws InputError naming the file and the setting that is missing or not supported.
 */
export async function readModelConfig(directory: string): Promise<ModelConfig> {
  return readJson(path.join(directory, 'config.json'), modelConfigSchema);
}

/** The size of one attention head of the language model. */
export function headSize({ head_dim, hidden_size, num_attention_heads }: ModelConfig['text_config']): number {
  return head_dim ?? hidden_size / num_attention_heads;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Older files write `type` for `rope_type`. */
function withRopeType(value: unknown): unknown {
  if (!isRecord(value) || 'rope_type' in value) return value;
  const { type, ...rest } = value;
  return { rope_type: type, ...rest };
}

/** `transformers` 5 writes `rope_parameters`, earlier versions `rope_theta` and `rope_scaling`. */
function withSeparateRope(value: unknown): unknown {
  if (!isRecord(value)) return value;
  const { rope_parameters, ...text } = value;
  const withKeyHeads = { ...text, num_key_value_heads: text.num_key_value_heads ?? text.num_attention_heads ?? 32 };
  if (!isRecord(rope_parameters)) return withKeyHeads;
  const { rope_theta, ...scaling } = rope_parameters;
  const isPlain = (scaling.rope_type ?? 'default') === 'default';
  return {
    ...withKeyHeads,
    ...(rope_theta === undefined ? {} : { rope_theta }),
    rope_scaling: isPlain ? null : scaling,
  };
}
