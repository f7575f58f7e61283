/** What operations take and give: values, known by shape and type, and attributes. */
import type { DataType } from './tensorflow.ts';

/** A tensor's shape and type; the implementation of `Ops` has the rest. */
export interface Value {
  readonly shape: readonly number[];
  readonly dataType: DataType;
}

export type Attribute =
  | { kind: 'bool'; value: boolean }
  | { kind: 'int'; value: number }
  | { kind: 'float'; value: number }
  | { kind: 'type'; value: DataType };

export interface Specification {
  shape: readonly number[];
  dataType: DataType;
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** The shape of an element-wise operation's result. @throws Error for shapes that do not fit */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  const shape: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const left = a[a.length - rank + axis] ?? 1;
    const right = b[b.length - rank + axis] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new Error(`shapes [${a}] and [${b}] do not broadcast`);
    }
    shape.push(Math.max(left, right));
  }
  return shape;
}
