/**
 * Reverse-mode differentiation a layer at a time.
 *
 * A layer computes its value, and records next to it the backward it was written with; `gradients`
 * walks the records from the last to the first. Frozen inputs record nothing, so a finetune with
 * frozen weights never computes their gradients. The tape works the same on eager and traced operations.
 */
import type { Ops } from './ops.ts';
import type { Value } from './value.ts';

/** A value with a place in the computation; `needsGradient` is true downstream of a trained parameter. */
export interface Variable {
  readonly value: Value;
  readonly needsGradient: boolean;
  /**
   * Computes the value once more, when `event` is there, from what is kept anyway. A backward that takes it from here
   * does not hold the value itself until then.
   */
  readonly again?: (event: Value) => Value;
  /** A frozen weight `[out, in]` of a linear layer whose value is its transpose, `[in, out]`. */
  readonly isTransposed?: boolean;
  /** Of a weight with an adapter: what a linear layer computes with both, in place of the weight alone. */
  readonly throughAdapter?: (tape: Tape, x: Variable, bias?: Variable) => Variable;
}

/** Looks a weight up by the name that transformers gives it. */
export type Weights = (name: string) => Variable;

type Backward = (gradient: Value) => readonly (Value | undefined)[];

interface Entry {
  output: Variable;
  inputs: readonly Variable[];
  backward: Backward;
}

/** A value that is never differentiated (an input or a frozen weight). */
export function frozen(value: Value): Variable {
  return { value, needsGradient: false };
}

/** A trained parameter. */
export function trained(value: Value): Variable {
  return { value, needsGradient: true };
}

export class Tape {
  private readonly entries: Entry[] = [];
  readonly ops: Ops;
  private readonly start: Value | undefined;

  /** @param start nothing on this tape is computed before this value is there */
  constructor(ops: Ops, start?: Value) {
    this.ops = ops;
    this.start = start;
  }

  /** An input of the computation, held back until this tape may start. */
  input(value: Value): Value {
    return this.start ? this.ops.after(value, this.start) : value;
  }

  /** Notes that `value` came from `inputs`. `backward` returns one gradient an input, none for a frozen one. */
  record(inputs: readonly Variable[], value: Value, backward: Backward, again?: Variable['again']): Variable {
    const output = { value, needsGradient: inputs.some((input) => input.needsGradient), again };
    if (output.needsGradient) this.entries.push({ output, inputs, backward });
    return output;
  }

  /**
   * Computes `body`, forgets what is inside, and computes it once more when its gradient is wanted: activation
   * recomputation (arXiv 1604.06174). Of a body only its inputs are kept from the forward to the backward pass.
   *
   * `body` must take every value that differs between steps through its inputs or through `tape.input`.
   */
  recomputed(inputs: readonly Variable[], body: (tape: Tape, inputs: readonly Variable[]) => Variable): Variable {
    const first = new Tape(this.ops);
    const output = body(first, inputs);
    const trainedInside = first.leaves().filter((leaf) => !inputs.includes(leaf));
    return this.record([...inputs, ...trainedInside], output.value, (gradient) => {
      const again = new Tape(this.ops, gradient);
      const copies = inputs.map(({ value, needsGradient }) => ({ value: again.input(value), needsGradient }));
      const collected = again.propagate(body(again, copies), gradient);
      return [...copies, ...trainedInside].map((variable) => collected.get(variable));
    });
  }

  /** Variables that need a gradient and were not computed on this tape. */
  private leaves(): Variable[] {
    const outputs = new Set(this.entries.map(({ output }) => output));
    const inputs = new Set(this.entries.flatMap((entry) => entry.inputs));
    return [...inputs].filter((variable) => variable.needsGradient && !outputs.has(variable));
  }

  /**
   * Gradients of a scalar `loss` with respect to `parameters`, in their order and shapes.
   *
   * @throws Error when a parameter took no part in the loss: training it would silently do nothing.
   */
  gradients(loss: Variable, parameters: readonly Variable[]): Value[] {
    const collected = this.propagate(loss, this.ops.scalar(1));
    return parameters.map((parameter, index) => {
      const gradient = collected.get(parameter);
      if (!gradient) throw new Error(`parameter ${index} took no part in the loss`);
      return gradient;
    });
  }

  private propagate(result: Variable, slope: Value): Map<Variable, Value> {
    const collected = new Map<Variable, Value>([[result, slope]]);
    for (const { output, inputs, backward } of [...this.entries].reverse()) {
      const gradient = collected.get(output);
      if (!gradient) continue;
      collected.delete(output);
      backward(gradient).forEach((contribution, index) => {
        const input = inputs[index];
        if (!contribution || !input?.needsGradient) return;
        const sum = collected.get(input);
        collected.set(input, sum ? this.ops.add(sum, contribution) : contribution);
      });
    }
    return collected;
  }
}
