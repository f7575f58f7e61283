import path from 'node:path';
import { z } from 'zod';
import { readJson } from '../../core/read-json.ts';

const size = z.number().int().positive();

const plainVisionSchema = z.looseObject({
  model_type: z.literal('clip_vision_model', { error: 'only CLIP is supported' }).default('clip_vision_model'),
  hidden_size: size.default(768),
  intermediate_size: size.default(3072),
  num_hidden_layers: size.default(12),
  num_attention_heads: size.default(12),
  image_size: size.default(224),
  patch_size: size.default(32),
  projection_dim: size.default(512),
  num_channels: z.literal(3).default(3),
  layer_norm_eps: z.number().positive().default(1e-5),
  hidden_act: z.enum(['quick_gelu', 'gelu']).default('quick_gelu'),
});

/** `CLIPVisionConfig` of transformers. */
export const clipVisionSchema = plainVisionSchema.superRefine((vision, context) => {
  const problem = (message: string, field: string) => context.addIssue({ code: 'custom', message, path: [field] });
  if (vision.image_size % vision.patch_size !== 0) {
    problem(`must be a multiple of patch_size, ${vision.patch_size}`, 'image_size');
  }
  if (vision.hidden_size % vision.num_attention_heads !== 0) {
    problem(`must divide hidden_size, ${vision.hidden_size}`, 'num_attention_heads');
  }
});

export type ClipVisionConfig = z.output<typeof clipVisionSchema>;

/** `CLIPModel`'s config holds the vision part, `CLIPVisionModelWithProjection`'s is the vision part. */
const clipConfigSchema = z.preprocess(
  (value) =>
    typeof value === 'object' && value !== null && 'model_type' in value && value.model_type === 'clip_vision_model'
      ? {
          model_type: 'clip',
          projection_dim: 'projection_dim' in value ? value.projection_dim : undefined,
          vision_config: value,
        }
      : value,
  z
    .looseObject({
      model_type: z.literal('clip', { error: "must be 'clip' or 'clip_vision_model'" }),
      projection_dim: size.default(512),
      vision_config: clipVisionSchema.prefault({}),
    })
    // CLIPModel goes by its own `projection_dim`, not by that of its vision part.
    .transform(({ projection_dim, vision_config }) => ({ ...vision_config, projection_dim })),
);

/**
 * Reads `config.json` of a CLIP directory, whole (`clip`) or its vision part alone (`clip_vision_model`).
 *
 * @throws InputError naming the file and the setting that is missing or not supported.
 */
export async function readClipConfig(directory: string): Promise<ClipVisionConfig> {
  return readJson(path.join(directory, 'config.json'), clipConfigSchema);
}
