import { z } from 'zod';
import { clipVisionSchema } from '../../files/clip.ts';
import { checkLlama, llamaSchema } from '../../files/llama.ts';

/** CLIP ViT-L/14 at 224 pixels. */
const VISION_DEFAULTS = {
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  image_size: 224,
  patch_size: 14,
};

/** `config.json`: a CLIP `vision_config` and a LLaMA `text_config`. Unknown keys are kept. */
export const llavaLinearConfigSchema = z
  .looseObject({
    model_type: z.literal('llava-linear'),
    image_token_index: z.int().nonnegative().optional(),
    vision_config: clipVisionSchema.prefault(VISION_DEFAULTS),
    text_config: llamaSchema,
  })
  .superRefine(({ text_config }, context) => {
    checkLlama(text_config, (message, ...path) => context.addIssue({ code: 'custom', message, path }));
  });

export type LlavaLinearConfig = z.output<typeof llavaLinearConfigSchema>;
