/** Adapters on the vision side and the projection, and weights that they have in place of the model's. */
import type { Adapter } from '../../../model/files/adapter.ts';
import type { TensorDirectory } from '../../../model/files/tensor-directory.ts';
import type { Ops } from '../../../model/ops/ops.ts';
import type { Program } from '../../../model/ops/program.ts';
import type { Weights } from '../../../model/ops/tape.ts';
import { frozen } from '../../../model/ops/tape.ts';
import { frozenWeights } from '../frozen-weights.ts';

const isVision = (module: string) => !module.startsWith('language_model.');

/** Whether images look different with the adapter. */
export function adaptsVision(adapter: Adapter): boolean {
  return [...adapter.tensors.keys(), ...adapter.saved.keys()].some(isVision);
}

/**
 * The weights of a model with the adapter's updates added on the vision side, `W + scaling * B A`, or in their place what it saves.
 *
 * @returns `weights`, to be called while tracing, and the `factors` to assign once the program is loaded
 */
export function adaptVision(
  program: Program,
  model: TensorDirectory,
  adapter?: Adapter,
): { weights: (ops: Ops) => Weights; factors: Map<string, Float32Array> } {
  const base = frozenWeights(program, model, { use: 'forward' });
  const factors = new Map<string, Float32Array>();
  const weights = (ops: Ops): Weights => {
    return (name) => {
      const whole = isVision(name) ? adapter?.saved.get(name) : undefined;
      if (whole) {
        const replaced = `saved ${name}`;
        factors.set(replaced, whole.data);
        return frozen(program.variable(replaced, whole.shape));
      }
      const module = name.replace(/\.weight$/, '');
      const pair = name === module || !isVision(module) ? undefined : adapter?.tensors.get(module);
      if (!pair) return base(name);
      const [a, b] = ([pair.A, pair.B] as const).map(({ shape, data }, index) => {
        const factor = `${module}.lora_${index === 0 ? 'A' : 'B'}`;
        factors.set(factor, data);
        return program.variable(factor, shape);
      }) as [ReturnType<Program['variable']>, ReturnType<Program['variable']>];
      const merged = ops.add(base(name).value, ops.scale(ops.matMul(b, a), pair.scaling));
      if (!pair.magnitude) return frozen(merged);
      const magnitude = `${module}.lora_magnitude`;
      factors.set(magnitude, pair.magnitude.data);
      const outputs = pair.magnitude.shape[0] as number;
      const norms = ops.rsqrt(ops.sum(ops.square(merged), [1], true));
      const wanted = ops.reshape(program.variable(magnitude, [outputs]), [outputs, 1]);
      return frozen(ops.multiply(merged, ops.multiply(wanted, norms)));
    };
  };
  return { weights, factors };
}
