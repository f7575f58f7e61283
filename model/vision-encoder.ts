/**
 * The vision encoder of BLIP-2: an EVA-style vision transformer (arXiv 2211.07636), as
 * `Blip2VisionModel` of transformers.
 */
import type { ModelConfig } from './files/model-config.ts';
import { gelu } from './layers/activation.ts';
import { fusedSelfAttention, headsLast } from './layers/attention.ts';
import { gatherRows } from './layers/embedding.ts';
import { add, linear } from './layers/linear.ts';
import { layerNorm } from './layers/normalization.ts';
import type { Ops, Value } from './ops/ops.ts';
import type { Tape, Variable } from './ops/tape.ts';
import type { Weights } from './weights.ts';

/** Cuts pictures `[batch, 3, size, size]` into rows of patch pixels `[batch * patches, 3 * patch * patch]`. */
function patchRows(ops: Ops, pixels: Value, patch: number): Value {
  const [batch, channels, height, width] = pixels.shape as [number, number, number, number];
  const rows = height / patch;
  const columns = width / patch;
  const apart = ops.reshape(pixels, [batch, channels, rows, patch, columns, patch]);
  const ordered = ops.transpose(apart, [0, 2, 4, 1, 3, 5]);
  return ops.reshape(ordered, [batch * rows * columns, channels * patch * patch]);
}

/** Puts the class token in front of each picture's patches: `[batch * (patches + 1), hidden]`. */
function prependClassToken(tape: Tape, patches: Variable, token: Variable, batch: number): Variable {
  const { ops } = tape;
  const hidden = token.value.shape.at(-1) as number;
  const count = (patches.value.shape[0] as number) / batch;
  const repeated = gatherRows(tape, reshaped(tape, token, [1, hidden]), ops.constant(new Int32Array(batch), [batch]));
  const value = ops.concat(
    [ops.reshape(repeated.value, [batch, 1, hidden]), ops.reshape(patches.value, [batch, count, hidden])],
    1,
  );
  return tape.record([repeated, patches], ops.reshape(value, [batch * (count + 1), hidden]), (gradient) => {
    const [first, rest] = ops.split(ops.reshape(gradient, [batch, count + 1, hidden]), [1, count], 1) as [Value, Value];
    return [ops.reshape(first, [batch, hidden]), ops.reshape(rest, [batch * count, hidden])];
  });
}

function reshaped(tape: Tape, x: Variable, shape: readonly number[]): Variable {
  const { ops } = tape;
  return tape.record([x], ops.reshape(x.value, shape), (gradient) => [ops.reshape(gradient, x.value.shape)]);
}

/** Adds position embeddings `[1, tokens, hidden]` to each picture's tokens `[batch * tokens, hidden]`. */
function addPositions(tape: Tape, x: Variable, positions: Variable, batch: number): Variable {
  const { ops } = tape;
  const [, tokens, hidden] = positions.value.shape as [number, number, number];
  const apart = ops.reshape(x.value, [batch, tokens, hidden]);
  return tape.record([x, positions], ops.reshape(ops.add(apart, positions.value), x.value.shape), (gradient) => [
    gradient,
    positions.needsGradient ? ops.sum(ops.reshape(gradient, [batch, tokens, hidden]), [0], true) : undefined,
  ]);
}

/**
 * @param pixels float32 `[batch, 3, size, size]`, normalised as the preprocessor says
 * @returns hidden states of class token and patches `[batch * (patches + 1), hidden]`
 */
export function visionEncoder(tape: Tape, weights: Weights, config: ModelConfig, pixels: Value): Variable {
  const { hidden_size: hidden, num_attention_heads: heads, ...vision } = config.vision_config;
  const batch = pixels.shape[0] as number;
  const epsilon = vision.layer_norm_eps;
  const scoped = (name: string) => weights(`vision_model.${name}`);
  const normalized = (x: Variable, name: string) =>
    layerNorm(tape, x, scoped(`${name}.weight`), scoped(`${name}.bias`), epsilon);
  const dense = (x: Variable, name: string) => linear(tape, x, scoped(`${name}.weight`), scoped(`${name}.bias`));

  const patches = linear(
    tape,
    { value: patchRows(tape.ops, pixels, vision.patch_size), needsGradient: false },
    reshaped(tape, scoped('embeddings.patch_embedding.weight'), [hidden, 3 * vision.patch_size ** 2]),
    scoped('embeddings.patch_embedding.bias'),
  );
  const withClass = prependClassToken(tape, patches, scoped('embeddings.class_embedding'), batch);
  let x = addPositions(tape, withClass, scoped('embeddings.position_embedding'), batch);
  const tokens = (x.value.shape[0] as number) / batch;

  for (let index = 0; index < vision.num_hidden_layers; index++) {
    const layer = `encoder.layers.${index}`;
    const fused = dense(normalized(x, `${layer}.layer_norm1`), `${layer}.self_attn.qkv`);
    const attended = fusedSelfAttention(tape, fused, { batch, tokens, heads, headSize: hidden / heads });
    x = add(tape, x, dense(headsLast(tape, attended), `${layer}.self_attn.projection`));
    const inner = gelu(tape, dense(normalized(x, `${layer}.layer_norm2`), `${layer}.mlp.fc1`));
    x = add(tape, x, dense(inner, `${layer}.mlp.fc2`));
  }
  return normalized(x, 'post_layernorm');
}
