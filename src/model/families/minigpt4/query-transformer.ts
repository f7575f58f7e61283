/**
 * The Q-Former (arXiv 2301.12597): learned queries that read an image by cross-attention, as
 * `Blip2QFormerModel` of transformers without its text branch.
 */

import { gelu } from '../../layers/activation.ts';
import { attention, headsFirst, headsLast } from '../../layers/attention.ts';
import { gatherRows } from '../../layers/embedding.ts';
import { add, linear } from '../../layers/linear.ts';
import { layerNorm } from '../../layers/normalization.ts';
import type { Tape, Variable, Weights } from '../../ops/tape.ts';
import type { Blip2Config } from './config.ts';

/**
 * @param image hidden states of the vision encoder `[batch * imageTokens, vision hidden]`
 * @returns `[batch * queries, hidden]`
 */
export function queryTransformer(
  tape: Tape,
  weights: Weights,
  config: Blip2Config,
  image: Variable,
  batch: number,
): Variable {
  const { hidden_size: hidden, num_attention_heads: heads, ...settings } = config.qformer_config;
  const queries = config.num_query_tokens;
  const headSize = hidden / heads;
  const scoped = (name: string) => weights(`qformer.${name}`);
  const dense = (x: Variable, name: string) => linear(tape, x, scoped(`${name}.weight`), scoped(`${name}.bias`));
  const normalized = (x: Variable, name: string) =>
    layerNorm(tape, x, scoped(`${name}.weight`), scoped(`${name}.bias`), settings.layer_norm_eps);
  const apart = (x: Variable) =>
    headsFirst(tape, x, { batch, tokens: (x.value.shape[0] as number) / batch, heads, headSize });

  const attend = (x: Variable, source: Variable, name: string) => {
    const query = apart(dense(x, `${name}.attention.query`));
    const key = apart(dense(source, `${name}.attention.key`));
    const value = apart(dense(source, `${name}.attention.value`));
    const mixed = headsLast(tape, attention(tape, query, key, value));
    return normalized(add(tape, dense(mixed, `${name}.output.dense`), x), `${name}.output.LayerNorm`);
  };

  const rows = Int32Array.from({ length: batch * queries }, (_, row) => row % queries);
  let x = normalized(gatherRows(tape, queryTable(tape, weights), tape.ops.constant(rows, [rows.length])), 'layernorm');
  for (let index = 0; index < settings.num_hidden_layers; index++) {
    const layer = `encoder.layer.${index}`;
    x = attend(x, x, `${layer}.attention`);
    if (index % settings.cross_attention_frequency === 0) x = attend(x, image, `${layer}.crossattention`);
    const inner = gelu(tape, dense(x, `${layer}.intermediate_query.dense`));
    const outer = dense(inner, `${layer}.output_query.dense`);
    x = normalized(add(tape, outer, x), `${layer}.output_query.LayerNorm`);
  }
  return x;
}

/** The learned queries `[1, queries, hidden]` as a table `[queries, hidden]`. */
function queryTable(tape: Tape, weights: Weights): Variable {
  const { ops } = tape;
  const tokens = weights('query_tokens');
  const shape = tokens.value.shape;
  return tape.record([tokens], ops.reshape(tokens.value, shape.slice(1)), (gradient) => [ops.reshape(gradient, shape)]);
}
