import type { ClipVisionConfig } from './clip-config.ts';
import { linear, norm, numbered, prefixed, type Shapes } from './tensor-shapes.ts';

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
export function clipTensors(config: ClipVisionConfig): Map<string, number[]> {
  return new Map([
    ...prefixed('vision_model', clipVisionTensors(config)),
    ...linear('visual_projection', config.hidden_size, config.projection_dim, false),
  ]);
}
