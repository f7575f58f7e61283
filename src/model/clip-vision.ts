/** CLIP's vision transformer (arXiv 2103.00020), as `CLIPVisionModel` of transformers. */
import type { ClipVisionConfig } from './files/clip.ts';
import { gelu, quickGelu } from './layers/activation.ts';
import { attention, headsFirst, headsLast } from './layers/attention.ts';
import { gatherRows } from './layers/embedding.ts';
import { add, linear } from './layers/linear.ts';
import { layerNorm } from './layers/normalization.ts';
import { addPositions, embedPatches, prependClassToken } from './layers/patches.ts';
import type { Tape, Variable, Weights } from './ops/tape.ts';
import type { Value } from './ops/value.ts';

/**
 * Hidden states after the first `layers` layers: `hidden_states[layers]` of transformers, no norm behind it.
 *
 * @param weights finds a tensor by its name within `CLIPVisionTransformer`
 * @param pixels float32 `[batch, 3, size, size]`, normalized as the preprocessor says
 * @returns class token and patches `[batch * (patches + 1), hidden]`
 */
export function clipVision(
  tape: Tape,
  weights: Weights,
  config: ClipVisionConfig,
  pixels: Value,
  layers = config.num_hidden_layers,
): Variable {
  const { hidden_size: hidden, num_attention_heads: heads } = config;
  const batch = pixels.shape[0] as number;
  const activation = config.hidden_act === 'gelu' ? gelu : quickGelu;
  const normalized = (x: Variable, name: string) => clipNorm(tape, weights, config, x, name);
  const dense = (x: Variable, name: string) => linear(tape, x, weights(`${name}.weight`), weights(`${name}.bias`));

  const patches = embedPatches(tape, pixels, weights('embeddings.patch_embedding.weight'));
  const withClass = prependClassToken(tape, patches, weights('embeddings.class_embedding'), batch);
  const placed = addPositions(tape, withClass, weights('embeddings.position_embedding.weight'), batch);
  let x = normalized(placed, 'pre_layrnorm');
  const tokens = (x.value.shape[0] as number) / batch;
  const apart = (rows: Variable) => headsFirst(tape, rows, { batch, tokens, heads, headSize: hidden / heads });

  for (let index = 0; index < layers; index++) {
    const layer = `encoder.layers.${index}`;
    const source = normalized(x, `${layer}.layer_norm1`);
    const [query, key, value] = (['q_proj', 'k_proj', 'v_proj'] as const).map((name) =>
      apart(dense(source, `${layer}.self_attn.${name}`)),
    ) as [Variable, Variable, Variable];
    const mixed = headsLast(tape, attention(tape, query, key, value));
    x = add(tape, x, dense(mixed, `${layer}.self_attn.out_proj`));
    const inner = activation(tape, dense(normalized(x, `${layer}.layer_norm2`), `${layer}.mlp.fc1`));
    x = add(tape, x, dense(inner, `${layer}.mlp.fc2`));
  }
  return x;
}

/**
 * CLIP's image embeddings, as `CLIPModel.get_image_features` gives them: the class token, normed and
 * projected. They are not of length one.
 *
 * @param weights finds a tensor by its name within `CLIPModel`
 * @param pixels float32 `[batch, 3, size, size]`, normalized as the preprocessor says
 * @returns `[batch, projection_dim]`
 */
export function clipImageEmbeddings(tape: Tape, weights: Weights, config: ClipVisionConfig, pixels: Value): Variable {
  const vision: Weights = (name) => weights(`vision_model.${name}`);
  const hidden = clipVision(tape, vision, config, pixels);
  const batch = pixels.shape[0] as number;
  const tokens = (hidden.value.shape[0] as number) / batch;
  const classRows = Int32Array.from({ length: batch }, (_, image) => image * tokens);
  const pooled = gatherRows(tape, hidden, tape.ops.constant(classRows, [batch]));
  const normed = clipNorm(tape, vision, config, pooled, 'post_layernorm');
  return linear(tape, normed, weights('visual_projection.weight'));
}

function clipNorm(tape: Tape, weights: Weights, config: ClipVisionConfig, x: Variable, name: string): Variable {
  return layerNorm(tape, x, weights(`${name}.weight`), weights(`${name}.bias`), config.layer_norm_eps);
}
