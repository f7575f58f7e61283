import type { LayerCache } from '../llama.ts';
import type { Ops } from '../ops/ops.ts';
import type { Program, Updates } from '../ops/program.ts';
import type { Value } from '../ops/value.ts';

export interface CacheShape {
  /** Sequences; with beams, all beams of a prompt lie next to each other. */
  rows: number;
  /** Key-value heads. */
  heads: number;
  /** Tokens of prompt and text together. */
  capacity: number;
  headSize: number;
}

/** Keys and values of every layer, `[rows, heads, capacity, headSize]` each, as variables of a program. */
export class KeyValueCache {
  private readonly layers: { keys: string; values: string }[];
  private readonly shape: CacheShape;

  constructor(program: Program, shape: CacheShape, layers: number) {
    this.shape = shape;
    const dimensions = [shape.rows, shape.heads, shape.capacity, shape.headSize];
    this.layers = Array.from({ length: layers }, (_, layer) => ({
      keys: `cache.${layer}.keys`,
      values: `cache.${layer}.values`,
    }));
    for (const { keys, values } of this.layers) {
      program.variable(keys, dimensions);
      program.variable(values, dimensions);
    }
  }

  /** For reading prompts: their keys and values fill the first slots, and are all that attention sees. */
  filled(ops: Ops, updates: Updates, beams: number): LayerCache {
    const { rows, capacity } = this.shape;
    const sources = Int32Array.from({ length: rows }, (_, row) => Math.floor(row / beams));
    const store = (name: string, value: Value) => {
      const repeated = beams === 1 ? value : ops.gather(value, ops.constant(sources, [rows]));
      updates.assign(name, ops.padEnd(repeated, 2, capacity - (repeated.shape[2] as number)));
    };
    return (layer, keys, values) => {
      const names = this.layers[layer] as { keys: string; values: string };
      store(names.keys, keys);
      store(names.values, values);
      return { keys, values };
    };
  }

  /**
   * For reading one token more: it goes into `slot`, and attention sees it with all that came before.
   *
   * @param slot int32 `[]`
   * @param parents int32 `[rows]`: the row whose past each row continues; by default its own
   */
  extended(ops: Ops, updates: Updates, slot: Value, parents?: Value): LayerCache {
    const extend = (name: string, value: Value) => {
      if (parents) updates.assign(name, ops.gather(updates.read(name), parents));
      return updates.assignSlot(name, slot, value);
    };
    return (layer, keys, values) => {
      const names = this.layers[layer] as { keys: string; values: string };
      return { keys: extend(names.keys, keys), values: extend(names.values, values) };
    };
  }
}
