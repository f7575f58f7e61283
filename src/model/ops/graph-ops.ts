/** Operations that are written down as nodes of a TensorFlow graph instead of being run. */
import type { GraphNode, NodeAttribute } from './graph-definition.ts';
import { Ops } from './ops.ts';
import { BYTES_PER_VALUE, type DataType } from './tensorflow.ts';
import { type Specification, sizeOf, type Value } from './value.ts';

/** Constants up to this many elements are shared when equal: shapes, permutations, scalars. */
const SHARED_CONSTANT_ELEMENTS = 16;

export interface GraphValue extends Value {
  /** `node:output` */
  readonly output: string;
}

export class GraphOps extends Ops {
  readonly nodes: GraphNode[] = [];
  /** Bytes of what a node yields, by `node:output`; those of handles are left out. */
  readonly outputBytes = new Map<string, number>();
  private readonly sharedConstants = new Map<string, Value>();

  /** Adds a node and returns its name. */
  node(operation: string, inputs: readonly string[], attributes: Record<string, NodeAttribute>): string {
    const name = `n${this.nodes.length.toString(36)}`;
    this.nodes.push({ name, operation, inputs, attributes });
    return name;
  }

  override run(
    operation: string,
    inputs: readonly Value[],
    attributes: Record<string, NodeAttribute>,
    outputs: readonly Specification[],
  ): Value[] {
    const name = this.node(
      operation,
      inputs.map((input) => (input as GraphValue).output),
      attributes,
    );
    return outputs.map(({ shape, dataType }, index) => {
      const output = `${name}:${index}`;
      this.outputBytes.set(output, sizeOf(shape) * BYTES_PER_VALUE[dataType]);
      return { shape, dataType, output };
    });
  }

  override constant(data: Float32Array | Int32Array, shape: readonly number[]): Value {
    const dataType: DataType = data instanceof Float32Array ? 'float32' : 'int32';
    const key = data.length <= SHARED_CONSTANT_ELEMENTS ? `${dataType}[${shape}]${data}` : undefined;
    const shared = key === undefined ? undefined : this.sharedConstants.get(key);
    if (shared) return shared;
    const [value] = this.run(
      'Const',
      [],
      { dtype: { kind: 'type', value: dataType }, value: { kind: 'tensor', data, shape, dataType } },
      [{ shape, dataType }],
    ) as [Value];
    if (key !== undefined) this.sharedConstants.set(key, value);
    return value;
  }

  override after(x: Value, event: Value): Value {
    const control = (event as GraphValue).output.split(':')[0];
    const name = this.node('Identity', [(x as GraphValue).output, `^${control}`], {
      T: { kind: 'type', value: x.dataType },
    });
    return { shape: x.shape, dataType: x.dataType, output: `${name}:0` } as GraphValue;
  }

  placeholder(shape: readonly number[], dataType: DataType): GraphValue {
    return this.run(
      'Placeholder',
      [],
      { dtype: { kind: 'type', value: dataType }, shape: { kind: 'shape', value: shape } },
      [{ shape, dataType }],
    )[0] as GraphValue;
  }
}
