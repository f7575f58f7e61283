/**
 * Many trained tensors as one: the optimizer then runs one fused kernel a step instead of one a tensor, and
 * a checkpoint is three arrays.
 */
import type { Ops } from './ops/ops.ts';
import { sizeOf, type Value } from './ops/value.ts';

export interface FlatParameters {
  readonly names: readonly string[];
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Elements in all. */
  readonly total: number;
}

/** Lays tensors out one after the other, in the order given. */
export function flatParameters(shapes: ReadonlyMap<string, readonly number[]>): FlatParameters {
  const total = [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
  return { names: [...shapes.keys()], shapes, total };
}

/** Cuts the flat `[total]` value into its tensors. */
export function unpack(ops: Ops, layout: FlatParameters, flat: Value): Map<string, Value> {
  const shapes = layout.names.map((name) => layout.shapes.get(name) as readonly number[]);
  const pieces = ops.split(flat, shapes.map(sizeOf), 0);
  return new Map(
    layout.names.map((name, index) => [name, ops.reshape(pieces[index] as Value, shapes[index] as readonly number[])]),
  );
}

/** Lays values, one a tensor in the layout's order, into one flat `[total]` value: the inverse of `unpack`. */
export function pack(ops: Ops, values: readonly Value[]): Value {
  return ops.concat(
    values.map((value) => ops.reshape(value, [sizeOf(value.shape)])),
    0,
  );
}

/** The same layout over plain arrays: a view of each tensor's part of `flat`. */
export function viewsOf(layout: FlatParameters, flat: Float32Array): Map<string, Float32Array> {
  const views = new Map<string, Float32Array>();
  let offset = 0;
  for (const name of layout.names) {
    const size = sizeOf(layout.shapes.get(name) as readonly number[]);
    views.set(name, flat.subarray(offset, offset + size));
    offset += size;
  }
  return views;
}
