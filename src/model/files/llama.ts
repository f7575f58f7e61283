/** LLaMA's files: `config.json`, the tensors, and the directory of both. */

import path from 'node:path';
import { z } from 'zod';
import { readSettings } from '../../core/read-json.ts';
import { withoutEffect } from './config-fields.ts';
import { sizes, tokenId } from './config-sizes.ts';
import { onlyKnownFields } from './known-fields.ts';
import { ropeScalingSchema, withOneRope } from './rope.ts';
import { openTensors, type TensorDirectory } from './tensor-directory.ts';
import { linear, numbered, prefixed, type Shapes } from './tensor-shapes.ts';
import { hasTiedHead } from './tied-head.ts';

/** `text_config`: LLaMA, `rope_theta` and `rope_scaling` whatever spelling the file had. */
export const llamaSchema = z.preprocess(
  (value, context) => withKeyHeads(withOneRope(value, context)),
  onlyKnownFields(
    z.looseObject({
      model_type: z.literal('llama'),
      hidden_size: sizes.width.default(4096),
      intermediate_size: sizes.width.default(11008),
      num_hidden_layers: sizes.layers.default(32),
      num_attention_heads: sizes.heads.default(32),
      num_key_value_heads: sizes.heads,
      head_dim: sizes.width.nullish().transform((value) => value ?? undefined),
      vocab_size: sizes.vocabulary.default(32000),
      rms_norm_eps: z.number().positive().default(1e-6),
      rope_theta: z.number().positive().default(10000),
      rope_scaling: ropeScalingSchema,
      partial_rotary_factor: z.literal(1, { error: 'only whole heads are turned here: must be 1' }).optional(),
      tie_word_embeddings: z.boolean().default(false),
      attention_bias: z.literal(false).default(false),
      mlp_bias: z.literal(false).default(false),
      hidden_act: z.literal('silu').default('silu'),
      max_position_embeddings: sizes.positions.default(2048),
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
    withoutEffect.llama,
  ),
);

export type LlamaConfig = z.output<typeof llamaSchema>;

/** The size of one attention head. */
export function headSize({ head_dim, hidden_size, num_attention_heads }: LlamaConfig): number {
  return head_dim ?? hidden_size / num_attention_heads;
}

/** Reports head counts that do not fit the width. */
export function checkLlama(text: LlamaConfig, problem: (message: string, ...path: string[]) => void): void {
  if (text.hidden_size % text.num_attention_heads !== 0 && !text.head_dim) {
    problem(`must divide hidden_size, ${text.hidden_size}`, 'text_config', 'num_attention_heads');
  }
  if (text.num_attention_heads % text.num_key_value_heads !== 0) {
    problem(`must divide num_attention_heads, ${text.num_attention_heads}`, 'text_config', 'num_key_value_heads');
  }
}

function withKeyHeads(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const text = value as { num_attention_heads?: unknown; num_key_value_heads?: unknown };
  return { ...text, num_key_value_heads: text.num_key_value_heads ?? text.num_attention_heads ?? 32 };
}

/** The tensors of `LlamaForCausalLM`. */
export function llamaTensors(config: LlamaConfig): Shapes {
  const { hidden_size: hidden, intermediate_size: intermediate, vocab_size: vocabulary } = config;
  const queries = config.num_attention_heads * headSize(config);
  const keys = config.num_key_value_heads * headSize(config);
  const layer: Shapes = [
    ['input_layernorm.weight', [hidden]],
    ...linear('self_attn.q_proj', hidden, queries, false),
    ...linear('self_attn.k_proj', hidden, keys, false),
    ...linear('self_attn.v_proj', hidden, keys, false),
    ...linear('self_attn.o_proj', queries, hidden, false),
    ['post_attention_layernorm.weight', [hidden]],
    ...linear('mlp.gate_proj', hidden, intermediate, false),
    ...linear('mlp.up_proj', hidden, intermediate, false),
    ...linear('mlp.down_proj', intermediate, hidden, false),
  ];
  return [
    ['model.embed_tokens.weight', [vocabulary, hidden]],
    ...numbered('model.layers', config.num_hidden_layers, () => layer),
    ['model.norm.weight', [hidden]],
    ...(config.tie_word_embeddings ? [] : linear('lm_head', hidden, vocabulary, false)),
  ];
}

/** An open LLaMA directory: a language model that sees no images. */
export interface LlamaDirectory extends TensorDirectory {
  config: { text_config: LlamaConfig };
}

const PREFIX = 'language_model';
const needless = [/\.rotary_emb\.inv_freq$/, new RegExp(`^${PREFIX}\\.lm_head\\.weight$`)];

const configSchema = llamaSchema.superRefine((config, context) =>
  checkLlama(config, (message, ...place) => context.addIssue({ code: 'custom', message, path: place.slice(1) })),
);

/**
 * Opens a LLaMA as `LlamaForCausalLM` of transformers saves it. Tensors have the names that they have inside of a
 * multimodal model, `language_model.…`, since `llama` asks for those.
 *
 * @throws InputError naming the file and the setting or tensor that is missing or not as expected
 */
export async function readLlamaDirectory(directory: string): Promise<LlamaDirectory> {
  let config = await readSettings(path.join(directory, 'config.json'), configSchema);
  const tensors = await openTensors(directory, {
    shapes: async (found) => {
      config = { ...config, tie_word_embeddings: await hasTiedHead(found, config.tie_word_embeddings) };
      return new Map(prefixed(PREFIX, llamaTensors(config)));
    },
    publishedName: (name) => `${PREFIX}.${name}`,
    ignored: needless,
  });
  return { ...tensors, config: { text_config: config } };
}
