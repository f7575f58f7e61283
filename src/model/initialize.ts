/** Fresh weights. */
import { seededRandom } from '../core/seeded-random.ts';
import { sizeOf } from './ops/value.ts';

/** Numbers of the standard normal distribution (Box-Muller), from uniform ones. */
function normal(uniform: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

const isNormWeight = (name: string) => /(norm\d?|layernorm|LayerNorm|_layernorm)\.weight$/.test(name);
/** Projections back into the residual stream: kept small, so that depth doesn't grow the signal (GPT-2). */
const isResidual = (name: string) => /(o_proj|down_proj|self_attn\.projection|fc2|output\.dense)\.weight$/.test(name);

/**
 * One tensor: norms one, biases zero, tables and queries of spread 0.02, linear weights `[out, in]` of spread
 * `1 / sqrt(in)`, into the residual stream less by `1 / sqrt(2 * layers)`.
 *
 * @param layers of the stack that the tensor belongs to
 */
export function initialTensor(name: string, shape: readonly number[], seed: number, layers: number): Float32Array {
  const values = new Float32Array(sizeOf(shape));
  if (isNormWeight(name)) return values.fill(1);
  if (name.endsWith('.bias')) return values;
  const random = seededRandom(seed).fork(name);
  const isTable = shape.length !== 2 && shape.length !== 4;
  const inputSize = shape.slice(1).reduce((product, length) => product * length, 1);
  const linear = 1 / Math.sqrt(inputSize) / (isResidual(name) ? Math.sqrt(2 * layers) : 1);
  const spread = isTable || name.includes('embed_tokens') ? 0.02 : linear;
  return values.map(() => normal(random.uniform) * spread);
}
