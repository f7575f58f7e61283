import type { Ops } from '../ops/ops.ts';
import { frozen, type Tape, type Variable } from '../ops/tape.ts';
import type { Value } from '../ops/value.ts';
import { add, backThroughWeight, linear, throughWeight } from './linear.ts';

/** One LoRA adapter (arXiv 2106.09685) on one linear layer. */
export interface Adapter {
  /** `[rank, in]` */
  a: Variable;
  /** `[out, rank]` */
  b: Variable;
  /** alpha / rank, or alpha / √rank where it is rank-stabilized */
  scaling: number;
  /** `[out]`: the norms of the rows of weight and update together (DoRA). None means they are what they come to. */
  magnitude?: Variable | undefined;
  /** Which inputs are kept, bool `[rows, in]`, and `1 / (1 - dropout)`. None means no dropout. */
  dropout?: { kept: Value; scaling: number };
}

/** Several adapters of a linear layer, of which each sequence takes one; nothing is learned through them. */
export interface AdapterChoice {
  /** `[adapters, rank, in]` */
  a: Variable;
  /** `[adapters, out, rank]`, times what the adapter is scaled by */
  b: Variable;
  /** int32 `[sequences]`: the adapter of each */
  chosen: Value;
}

/** What each sequence's adapter adds, `[sequences, tokens, out]`; the rows of a sequence lie together. */
function chosenUpdate(ops: Ops, x: Value, { a, b, chosen }: AdapterChoice): Value {
  const [rows, inputSize] = x.shape as [number, number];
  const sequences = chosen.shape[0] as number;
  const apart = ops.reshape(x, [sequences, rows / sequences, inputSize]);
  const narrow = ops.batchMatMul(apart, ops.gather(a.value, chosen), { transposeB: true });
  return ops.batchMatMul(narrow, ops.gather(b.value, chosen), { transposeB: true });
}

/** `x Wᵀ` and what each sequence's adapter adds. */
function chosenLinear(tape: Tape, x: Variable, weight: Variable, choice: AdapterChoice): Variable {
  const { ops } = tape;
  const update = chosenUpdate(ops, x.value, choice);
  const whole = throughWeight(ops, x.value, weight);
  return frozen(ops.add(whole, ops.reshape(update, whole.shape)));
}

/**
 * Several linear layers with one input whose weights are one matrix, one product for all. Nothing is learned through them.
 *
 * @param x `[rows, in]`
 * @param weight `[sum of all out, in]`, the layers one after another
 * @returns `[rows, out]` of each layer
 */
export function joinedLinear(
  tape: Tape,
  x: Variable,
  weight: Variable,
  layers: readonly { outputSize: number; adapter?: AdapterChoice | undefined }[],
): Variable[] {
  const { ops } = tape;
  const whole = throughWeight(ops, x.value, weight);
  const parts = ops.split(
    whole,
    layers.map(({ outputSize }) => outputSize),
    1,
  );
  return parts.map((part, index) => {
    const adapter = layers[index]?.adapter;
    return frozen(adapter ? ops.add(part, ops.reshape(chosenUpdate(ops, x.value, adapter), part.shape)) : part);
  });
}

/**
 * `y = x Wᵀ + scaling * (dropout(x) Aᵀ) Bᵀ`, the weight frozen.
 *
 * @param x `[rows, in]`
 * @param weight `[out, in]`
 * @returns `[rows, out]`
 */
export function adaptedLinear(tape: Tape, x: Variable, weight: Variable, adapter?: Adapter | AdapterChoice): Variable {
  if (!adapter) return linear(tape, x, weight);
  if ('chosen' in adapter) return chosenLinear(tape, x, weight, adapter);
  const { ops } = tape;
  if (adapter.magnitude) return decomposedLinear(tape, x, weight, adapter, adapter.magnitude);
  if (isMergingCheaper(ops, x, adapter)) return mergedLinear(tape, x, weight, adapter);
  const { a, b, dropout } = adapter;
  const scaling = adapter.scaling * (dropout?.scaling ?? 1);
  const dropped = (value: Value, kept = dropout?.kept) =>
    kept ? ops.multiply(value, ops.cast(kept, value.dataType)) : value;
  const narrow = ops.scale(ops.matMul(dropped(x.value), a.value, { transposeB: true }), scaling);
  const value = ops.add(throughWeight(ops, x.value, weight), ops.matMul(narrow, b.value, { transposeB: true }));
  return tape.record([x, a, b], value, (gradient) => {
    const narrowGradient = ops.scale(ops.matMul(gradient, b.value), scaling);
    const kept = dropout && ops.after(dropout.kept, gradient);
    const input = dropped(x.again?.(gradient) ?? x.value, kept);
    const throughAdapter = () => dropped(ops.matMul(narrowGradient, a.value), kept);
    return [
      x.needsGradient ? ops.add(backThroughWeight(ops, gradient, weight), throughAdapter()) : undefined,
      ops.matMul(narrowGradient, input, { transposeA: true }),
      ops.matMul(gradient, narrow, { transposeA: true }),
    ];
  });
}

/**
 * Weight-decomposed (DoRA, arXiv 2402.09353): `y = magnitude / ‖W + scaling * B A‖ * (x (W + scaling * B A)ᵀ)`, the norm of each row.
 * As in PEFT the norm counts as constant in the gradient, and inputs that drop out do so before they are scaled only: what the frozen
 * weight makes of them stays.
 */
function decomposedLinear(
  tape: Tape,
  x: Variable,
  weight: Variable,
  { dropout, ...adapter }: Adapter,
  magnitude: Variable,
): Variable {
  const plain = { ...adapter, magnitude: undefined };
  const inverse = inverseNorms(tape.ops, weight, plain);
  if (!dropout) return scaledColumns(tape, adaptedLinear(tape, x, weight, plain), magnitude, inverse);
  const [kept, dropped] = splitByDropout(tape, x, dropout);
  const scaled = scaledColumns(tape, adaptedLinear(tape, kept, weight, plain), magnitude, inverse);
  return add(tape, linear(tape, dropped, weight), scaled);
}

/** `1 / ‖W + scaling * B A‖` of each row, `[out]`. */
function inverseNorms(ops: Ops, weight: Variable, { a, b, scaling }: Adapter): Value {
  const update = weight.isTransposed
    ? ops.matMul(a.value, b.value, { transposeA: true, transposeB: true })
    : ops.matMul(b.value, a.value);
  const whole = ops.add(ops.cast(weight.value, 'float32'), ops.scale(update, scaling));
  return ops.rsqrt(ops.sum(ops.square(whole), [weight.isTransposed ? 0 : 1]));
}

/** `x * magnitude * inverse`, column by column; nothing is learned of `inverse`. */
function scaledColumns(tape: Tape, x: Variable, magnitude: Variable, inverse: Value): Variable {
  const { ops } = tape;
  const factor = ops.multiply(magnitude.value, inverse);
  return tape.record([x, magnitude], ops.multiply(x.value, factor), (gradient) => [
    ops.multiply(gradient, factor),
    ops.multiply(ops.sum(ops.multiply(gradient, x.value), [0]), inverse),
  ]);
}

/** The inputs with dropout, and what is missing to them. */
function splitByDropout(tape: Tape, x: Variable, dropout: NonNullable<Adapter['dropout']>): [Variable, Variable] {
  const { ops } = tape;
  const drop = (value: Value) =>
    ops.scale(ops.multiply(value, ops.cast(dropout.kept, value.dataType)), dropout.scaling);
  const kept = drop(x.value);
  return [
    tape.record([x], kept, (gradient) => [drop(gradient)]),
    tape.record([x], ops.subtract(x.value, kept), (gradient) => [ops.subtract(gradient, drop(gradient))]),
  ];
}

/** Products whose inner or outer length is the rank reach about half the speed of wide ones. */
const NARROW_PENALTY = 2;

/**
 * Whether one product for the whole weight's gradient costs less than the six narrow products of the adapter: so it
 * is in small models. In bfloat16 a sum with the weight would round the adapter's small update away.
 */
function isMergingCheaper(ops: Ops, x: Variable, { a, b, dropout }: Adapter): boolean {
  if (dropout || ops.productType !== 'float32') return false;
  const rows = x.value.shape[0] as number;
  const [rank, inputSize] = a.value.shape as [number, number];
  const outputSize = b.value.shape[0] as number;
  const whole = (rows + 3 * rank) * inputSize * outputSize;
  const narrow = 3 * rows * rank * (inputSize + outputSize);
  return whole < NARROW_PENALTY * narrow;
}

/** The same layer with its adapter merged in the step: `y = x (W + scaling * B A)ᵀ`. */
function mergedLinear(tape: Tape, x: Variable, weight: Variable, { a, b, scaling }: Adapter): Variable {
  const { ops } = tape;
  const { isTransposed } = weight;
  const update = isTransposed
    ? ops.matMul(a.value, b.value, { transposeA: true, transposeB: true })
    : ops.matMul(b.value, a.value);
  const merged = { ...weight, value: ops.add(ops.cast(weight.value, 'float32'), ops.scale(update, scaling)) };
  const value = throughWeight(ops, x.value, merged);
  return tape.record([x, a, b], value, (gradient) => {
    const input = x.again?.(gradient) ?? x.value;
    const slope = ops.scale(ops.matMul(gradient, input, { transposeA: true }), scaling);
    return [
      x.needsGradient ? backThroughWeight(ops, gradient, merged) : undefined,
      ops.matMul(b.value, slope, { transposeA: true }),
      ops.matMul(slope, a.value, { transposeB: true }),
    ];
  });
}
