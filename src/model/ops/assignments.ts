/** Updates that replace a variable of a program, or a part of it. */
import type { NodeAttribute } from './graph-definition.ts';
import type { GraphOps, GraphValue } from './graph-ops.ts';
import { sizeOf, type Value } from './value.ts';

export interface Assignments {
  /** The float32 `variable` as it is after the updates so far. */
  read(variable: string): Value;
  /** Replaces a float32 `variable`. */
  assign(variable: string, value: Value): void;
  /**
   * Replaces one slot of a variable `[rows, heads, slots, size]` by `value` `[rows, heads, 1, size]`.
   *
   * @param slot int32 `[]`
   * @returns the variable afterwards
   */
  assignSlot(variable: string, slot: Value, value: Value): Value;
  /**
   * Replaces rows of a variable `[…, size]`, seen as `[rows, size]`, in its own memory: nothing else of it is copied. A function
   * must not read the variable otherwise. Indices are not checked, so they must lie within.
   *
   * @param indices int32 `[n]`, each once
   * @param value `[n, size]`
   * @returns the variable afterwards
   */
  assignRows(variable: string, indices: Value, value: Value): Value;
}

interface KnownVariable {
  shape: readonly number[];
  resource: string;
  value: GraphValue;
}

/** Of `[rows, heads, slots, size]`. */
const SLOT_AXIS = 2;
const dtype = { kind: 'type', value: 'float32' } as const;

/**
 * The updates of one traced function; each waits for the one before on the same variable.
 *
 * @param updates receives the nodes that must have run before the function's outputs can be read
 */
export function assignments(
  graph: GraphOps,
  known: (variable: string) => KnownVariable,
  updates: string[],
): Assignments {
  const lastWrites = new Map<string, string>();
  const write = (
    name: string,
    operation: string,
    inputs: readonly string[],
    attributes: Record<string, NodeAttribute>,
  ) => {
    const before = lastWrites.get(name);
    const node = graph.node(operation, before === undefined ? inputs : [...inputs, `^${before}`], attributes);
    lastWrites.set(name, node);
    updates.push(node);
  };
  const read = (name: string): Value => {
    const { resource, value, shape } = known(name);
    const before = lastWrites.get(name);
    if (before === undefined) return value;
    const output = `${graph.node('ReadVariableOp', [resource, `^${before}`], { dtype })}:0`;
    return { shape, dataType: 'float32', output } as GraphValue;
  };
  const integers = (...values: number[]) => graph.constant(Int32Array.from(values), [values.length]);
  return {
    read,
    assign(name, value) {
      const inputs = [known(name).resource, (value as GraphValue).output];
      write(name, 'AssignVariableOp', inputs, { dtype, validate_shape: { kind: 'bool', value: false } });
    },
    assignSlot(name, slot, value) {
      const { resource, shape } = known(name);
      const place = graph.reshape(slot, [1]);
      const corner = (other: (length: number) => number, here: Value) =>
        graph.concat(
          shape.map((length, axis) => (axis === SLOT_AXIS ? here : integers(other(length)))),
          0,
        );
      const bounds = [
        corner(() => 0, place),
        corner((length) => length, graph.add(place, integers(1))),
        graph.constant(new Int32Array(shape.length).fill(1), [shape.length]),
      ];
      const masks = ['begin_mask', 'end_mask', 'ellipsis_mask', 'new_axis_mask', 'shrink_axis_mask'];
      write(
        name,
        'ResourceStridedSliceAssign',
        [resource, ...[...bounds, value].map((input) => (input as GraphValue).output)],
        {
          T: dtype,
          Index: { kind: 'type', value: 'int32' },
          ...Object.fromEntries(masks.map((mask) => [mask, { kind: 'int', value: 0 } as const])),
        },
      );
      return read(name);
    },
    assignRows(name, indices, value) {
      const { value: current, shape } = known(name);
      const size = shape.at(-1) as number;
      const rows = graph.reshape(current, [sizeOf(shape) / size, size]);
      // What is read of a variable is its memory, which this writes into; an assignment of the slice would have every later
      // read of the variable copy all of it.
      const inputs = [rows, indices, value].map((input) => (input as GraphValue).output);
      const node = graph.node('InplaceUpdate', inputs, { T: dtype });
      updates.push(node);
      return graph.reshape({ shape: rows.shape, dataType: 'float32', output: `${node}:0` } as GraphValue, shape);
    },
  };
}
