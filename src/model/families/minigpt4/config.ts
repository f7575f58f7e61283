import { z } from 'zod';
import { ofEveryPart, tokenIds } from '../../files/config-fields.ts';
import { sizes, tokenId } from '../../files/config-sizes.ts';
import { onlyKnownFields } from '../../files/known-fields.ts';
import { checkLlama, llamaSchema } from '../../files/llama.ts';

/** Fields that change nothing here, by the part of the config. */
export const withoutEffect = {
  whole: [...ofEveryPart, ...tokenIds, 'image_text_hidden_size', 'use_decoder_only_language_model'],
  vision: [...ofEveryPart, ...tokenIds, 'attention_dropout', 'dropout', 'projection_dim', 'tie_word_embeddings'],
  queryTransformer: [
    ...[...ofEveryPart, ...tokenIds, 'attention_probs_dropout_prob', 'hidden_dropout_prob', 'tie_word_embeddings'],
    ...['classifier_dropout', 'max_position_embeddings', 'vocab_size'],
  ],
};

const visionSchema = onlyKnownFields(
  z.looseObject({
    model_type: z.literal('blip_2_vision_model').optional(),
    num_channels: z.literal(3).optional(),
    hidden_size: sizes.width.default(1408),
    intermediate_size: sizes.width.default(6144),
    num_hidden_layers: sizes.layers.default(39),
    num_attention_heads: sizes.heads.default(16),
    image_size: sizes.edge.default(224),
    patch_size: sizes.edge.default(14),
    layer_norm_eps: z.number().positive().default(1e-6),
    qkv_bias: z.boolean().default(true),
    hidden_act: z.literal('gelu').default('gelu'),
  }),
  withoutEffect.vision,
);

const queryTransformerSchema = onlyKnownFields(
  z.looseObject({
    model_type: z.literal('blip_2_qformer').optional(),
    position_embedding_type: z.literal('absolute').nullish(),
    hidden_size: sizes.width.default(768),
    intermediate_size: sizes.width.default(3072),
    num_hidden_layers: sizes.layers.default(12),
    num_attention_heads: sizes.heads.default(12),
    cross_attention_frequency: sizes.layers.default(2),
    encoder_hidden_size: sizes.width.default(1408),
    layer_norm_eps: z.number().positive().default(1e-12),
    hidden_act: z.literal('gelu').default('gelu'),
    use_qformer_text_input: z.literal(false).default(false),
  }),
  withoutEffect.queryTransformer,
);

/**
 * `config.json` of MiniGPT-4 as `transformers` writes it for `Blip2ForConditionalGeneration` with a LLaMA
 * `text_config`. What is left out has the default of `transformers`; keys that change nothing are kept,
 * others refused.
 */
export const blip2ConfigSchema = onlyKnownFields(
  z.looseObject({
    model_type: z.literal('blip-2'),
    num_query_tokens: sizes.queries.default(32),
    image_token_index: tokenId.nullish().transform((value) => value ?? undefined),
    image_token_id: tokenId.nullish().transform((value) => value ?? undefined),
    tie_word_embeddings: z.boolean().nullish(),
    vision_config: visionSchema,
    qformer_config: queryTransformerSchema,
    text_config: llamaSchema,
  }),
  withoutEffect.whole,
).superRefine((config, context) => {
  const { vision_config: vision, qformer_config: queryTransformer, text_config: text } = config;
  const problem = (message: string, ...path: string[]) => context.addIssue({ code: 'custom', message, path });
  if (queryTransformer.encoder_hidden_size !== vision.hidden_size) {
    problem(`must be vision_config.hidden_size, ${vision.hidden_size}`, 'qformer_config', 'encoder_hidden_size');
  }
  if (vision.image_size % vision.patch_size !== 0) {
    problem(`must be a multiple of patch_size, ${vision.patch_size}`, 'vision_config', 'image_size');
  }
  for (const part of ['vision_config', 'qformer_config'] as const) {
    const { hidden_size, num_attention_heads } = config[part];
    if (hidden_size % num_attention_heads !== 0) {
      problem(`must divide hidden_size, ${hidden_size}`, part, 'num_attention_heads');
    }
  }
  checkLlama(text, problem);
});

export type Blip2Config = z.output<typeof blip2ConfigSchema>;
