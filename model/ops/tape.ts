/**
 * Reverse-mode differentiation a layer at a time.
 *
 * A layer computes its value, and records next to it the backward it was written with; `gradients`
 * walks the records from the last to the first. Frozen inputs record nothing, so a finetune with
 * frozen weights never computes their gradients. The tape works the same on eager and traced operations.
 */
import type { Ops, Value } from './ops.ts';

/** A value with a place in the computation; `needsGradient` is true downstream of a trained parameter. */
export interface Variable {
  readonly value: Value;
  readonly needsGradient: boolean;
}

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

  constructor(ops: Ops) {
    this.ops = ops;
  }

  /** Notes that `value` came from `inputs`. `backward` returns one gradient an input, none for a frozen one. */
  record(inputs: readonly Variable[], value: Value, backward: Backward): Variable {
    const output = { value, needsGradient: inputs.some((input) => input.needsGradient) };
    if (output.needsGradient) this.entries.push({ output, inputs, backward });
    return output;
  }

  /**
   * Gradients of a scalar `loss` with respect to `parameters`, in their order and shapes.
   *
   * @throws Error when a parameter took no part in the loss: training it would silently do nothing.
   */
  gradients(loss: Variable, parameters: readonly Variable[]): Value[] {
    const collected = new Map<Variable, Value>([[loss, this.ops.scalar(1)]]);
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
    return parameters.map((parameter, index) => {
      const gradient = collected.get(parameter);
      if (!gradient) throw new Error(`parameter ${index} took no part in the loss`);
      return gradient;
    });
  }
}
