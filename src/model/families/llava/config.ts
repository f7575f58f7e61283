import { z } from 'zod';
import { clipVisionSchema } from '../../files/clip.ts';
import { ofEveryPart, tokenIds } from '../../files/config-fields.ts';
import { tokenId } from '../../files/config-sizes.ts';
import { onlyKnownFields } from '../../files/known-fields.ts';
import { checkLlama, llamaSchema } from '../../files/llama.ts';

const optionalTokenId = tokenId.nullish().transform((value) => value ?? undefined);

/** Fields of the config itself that change nothing here. */
export const withoutEffect = [...ofEveryPart, ...tokenIds, 'image_seq_length', 'ignore_index', 'vocab_size'];

/** LLaVA-1.5's vision tower, which a config that leaves it out means: CLIP ViT-L/14 at 336 pixels. */
const VISION_DEFAULTS = {
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  image_size: 336,
  patch_size: 14,
};

/**
 * `config.json` of LLaVA-1.5 as `transformers` writes it for `LlavaForConditionalGeneration` with a CLIP
 * `vision_config` and a LLaMA `text_config`. What is left out has the default of `transformers`; keys that
 * change nothing are kept, others refused.
 */
export const llavaConfigSchema = onlyKnownFields(
  z.looseObject({
    model_type: z.literal('llava'),
    image_token_index: optionalTokenId,
    image_token_id: optionalTokenId,
    projector_hidden_act: z.literal('gelu').default('gelu'),
    multimodal_projector_bias: z.boolean().default(true),
    vision_feature_layer: z.number({ error: 'only a single layer is supported' }).int().default(-2),
    vision_feature_select_strategy: z.enum(['default', 'full']).default('default'),
    tie_word_embeddings: z.boolean().default(false),
    vision_config: clipVisionSchema.prefault(VISION_DEFAULTS),
    text_config: llamaSchema,
  }),
  withoutEffect,
).superRefine((config, context) => {
  const { vision_config: vision, vision_feature_layer: layer, text_config: text } = config;
  const problem = (message: string, ...path: string[]) => context.addIssue({ code: 'custom', message, path });
  if (layer > vision.num_hidden_layers || layer < -vision.num_hidden_layers - 1) {
    problem(`the vision tower has ${vision.num_hidden_layers} layers`, 'vision_feature_layer');
  }
  checkLlama(text, problem);
});

export type LlavaConfig = z.output<typeof llavaConfigSchema>;
