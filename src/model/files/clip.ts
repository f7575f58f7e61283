/** CLIP's files: `config.json`, the tensors, and the directory of both. */
import path from 'node:path';
import { z } from 'zod';
import { readSettings } from '../../core/read-json.ts';
import { withoutEffect } from './config-fields.ts';
import { sizes } from './config-sizes.ts';
import { onlyKnownFields } from './known-fields.ts';
import { openTensors, type TensorDirectory } from './tensor-directory.ts';
import { linear, norm, numbered, prefixed, type Shapes } from './tensor-shapes.ts';

const plainVisionSchema = onlyKnownFields(
  z.looseObject({
    model_type: z.literal('clip_vision_model', { error: 'only CLIP is supported' }).default('clip_vision_model'),
    hidden_size: sizes.width.default(768),
    intermediate_size: sizes.width.default(3072),
    num_hidden_layers: sizes.layers.default(12),
    num_attention_heads: sizes.heads.default(12),
    image_size: sizes.edge.default(224),
    patch_size: sizes.edge.default(32),
    projection_dim: sizes.width.default(512),
    num_channels: z.literal(3).default(3),
    layer_norm_eps: z.number().positive().default(1e-5),
    hidden_act: z.enum(['quick_gelu', 'gelu']).default('quick_gelu'),
  }),
  withoutEffect.clipVision,
);

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

/**
 * `CLIPModel`'s config holds the vision part, `CLIPVisionModelWithProjection`'s is the vision part. A `vision_config_dict`,
 * as published files of OpenAI's models have, is used instead of `vision_config`.
 */
const clipConfigSchema = z.preprocess(
  asClipConfig,
  onlyKnownFields(
    z.looseObject({
      model_type: z.literal('clip', { error: "must be 'clip' or 'clip_vision_model'" }),
      projection_dim: sizes.width.default(512),
      vision_config: clipVisionSchema.prefault({}),
    }),
    withoutEffect.clip,
  )
    // CLIPModel uses its own `projection_dim`, not that of its vision part.
    .transform(({ projection_dim, vision_config }) => ({ ...vision_config, projection_dim })),
);

function asClipConfig(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { vision_config_dict, ...config } = value as Record<string, unknown>;
  if (config.model_type === 'clip_vision_model') {
    return { model_type: 'clip', projection_dim: config.projection_dim, vision_config: config };
  }
  return vision_config_dict ? { ...config, vision_config: vision_config_dict } : config;
}

/**
 * Reads `config.json` of a CLIP directory, whole (`clip`) or its vision part alone (`clip_vision_model`).
 *
 * @throws InputError naming the file and the setting that is missing or not supported.
 */
async function readClipConfig(directory: string): Promise<ClipVisionConfig> {
  return readSettings(path.join(directory, 'config.json'), clipConfigSchema);
}

/** The tensors of `CLIPVisionTransformer`, `pre_layrnorm` misspelt as there. */
export function clipVisionTensors(config: ClipVisionConfig): Shapes {
  const { hidden_size: hidden, intermediate_size: intermediate, patch_size: patch } = config;
  const patches = (config.image_size / patch) ** 2;
  const layer: Shapes = [
    ...norm('layer_norm1', hidden),
    ...linear('self_attn.q_proj', hidden, hidden),
    ...linear('self_attn.k_proj', hidden, hidden),
    ...linear('self_attn.v_proj', hidden, hidden),
    ...linear('self_attn.out_proj', hidden, hidden),
    ...norm('layer_norm2', hidden),
    ...linear('mlp.fc1', hidden, intermediate),
    ...linear('mlp.fc2', intermediate, hidden),
  ];
  return [
    ['embeddings.class_embedding', [hidden]],
    ['embeddings.patch_embedding.weight', [hidden, 3, patch, patch]],
    ['embeddings.position_embedding.weight', [patches + 1, hidden]],
    ...norm('pre_layrnorm', hidden),
    ...numbered('encoder.layers', config.num_hidden_layers, () => layer),
    ...norm('post_layernorm', hidden),
  ];
}

/** What `CLIPModel` needs to embed images. */
function clipTensors(config: ClipVisionConfig): Map<string, number[]> {
  return new Map([
    ...prefixed('vision_model', clipVisionTensors(config)),
    ...linear('visual_projection', config.hidden_size, config.projection_dim, false),
  ]);
}

/** An open CLIP directory: what it takes to embed images. */
export interface ClipDirectory extends TensorDirectory {
  config: ClipVisionConfig;
}

const notForImages = [/^text_model\./, /^text_projection\./, /^logit_scale$/, /\.position_ids$/];

/**
 * Opens CLIP as `CLIPModel` or `CLIPVisionModelWithProjection` of transformers saves it. The text side, if
 * there, is left alone.
 *
 * @throws InputError naming the file and the setting or tensor that is missing or not as expected
 */
export async function readClipDirectory(directory: string): Promise<ClipDirectory> {
  const config = await readClipConfig(directory);
  const tensors = await openTensors(directory, { shapes: clipTensors(config), ignored: notForImages });
  return { ...tensors, config };
}
