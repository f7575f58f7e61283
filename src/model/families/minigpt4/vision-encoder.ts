/**
 * The vision encoder of BLIP-2: an EVA-style vision transformer (arXiv 2211.07636), as
 * `Blip2VisionModel` of transformers.
 */

import { gelu } from '../../layers/activation.ts';
import { fusedSelfAttention, headsLast } from '../../layers/attention.ts';
import { add, linear } from '../../layers/linear.ts';
import { layerNorm } from '../../layers/normalization.ts';
import { addPositions, embedPatches, prependClassToken } from '../../layers/patches.ts';
import type { Tape, Variable, Weights } from '../../ops/tape.ts';
import type { Value } from '../../ops/value.ts';
import type { Blip2Config } from './config.ts';

/**
 * @param pixels float32 `[batch, 3, size, size]`, normalized as the preprocessor says
 * @returns hidden states of class token and patches `[batch * (patches + 1), hidden]`
 */
export function visionEncoder(tape: Tape, weights: Weights, config: Blip2Config, pixels: Value): Variable {
  const { hidden_size: hidden, num_attention_heads: heads, ...vision } = config.vision_config;
  const batch = pixels.shape[0] as number;
  const epsilon = vision.layer_norm_eps;
  const scoped = (name: string) => weights(`vision_model.${name}`);
  const normalized = (x: Variable, name: string) =>
    layerNorm(tape, x, scoped(`${name}.weight`), scoped(`${name}.bias`), epsilon);
  const dense = (x: Variable, name: string, hasBias = true) =>
    linear(tape, x, scoped(`${name}.weight`), hasBias ? scoped(`${name}.bias`) : undefined);

  const patch = (name: string) => scoped(`embeddings.patch_embedding.${name}`);
  const patches = embedPatches(tape, pixels, patch('weight'), patch('bias'));
  const withClass = prependClassToken(tape, patches, scoped('embeddings.class_embedding'), batch);
  let x = addPositions(tape, withClass, scoped('embeddings.position_embedding'), batch);
  const tokens = (x.value.shape[0] as number) / batch;

  for (let index = 0; index < vision.num_hidden_layers; index++) {
    const layer = `encoder.layers.${index}`;
    const source = normalized(x, `${layer}.layer_norm1`);
    const fused = dense(source, `${layer}.self_attn.qkv`, vision.qkv_bias);
    const attended = fusedSelfAttention(tape, fused, { batch, tokens, heads, headSize: hidden / heads });
    x = add(tape, x, dense(headsLast(tape, attended), `${layer}.self_attn.projection`));
    const inner = gelu(tape, dense(normalized(x, `${layer}.layer_norm2`), `${layer}.mlp.fc1`));
    x = add(tape, x, dense(inner, `${layer}.mlp.fc2`));
  }
  return normalized(x, 'post_layernorm');
}
