/**
 * The one interface of operations the model is written over.
 *
 * `Ops` infers shapes and names TensorFlow's kernels; the two implementations differ in what happens with an operation:
 * `EagerOps` runs it at once, `GraphOps` records it as a node of a graph that
 * TensorFlow later runs as a whole.
 */
import type { DataType } from './tensorflow.ts';
import { type Attribute, broadcast, type Specification, sizeOf, type Value } from './value.ts';

const type = (value: DataType): Attribute => ({ kind: 'type', value });
const bool = (value: boolean): Attribute => ({ kind: 'bool', value });
const int = (value: number): Attribute => ({ kind: 'int', value });

export type ProductType = 'float32' | 'bfloat16';

export abstract class Ops {
  /**
   * What matrix products by weights are computed in; everything else, and every sum of products, is float32.
   * bfloat16 is faster only where the hardware has it.
   */
  readonly productType: ProductType;

  constructor(productType: ProductType = 'float32') {
    this.productType = productType;
  }

  /** Runs or records one TensorFlow operation. `outputs` has the shapes and types it yields. */
  abstract run(
    name: string,
    inputs: readonly Value[],
    attributes: Record<string, Attribute>,
    outputs: readonly Specification[],
  ): Value[];

  /** A tensor that never changes. `int32` from Int32Array, `float32` from Float32Array. */
  abstract constant(data: Float32Array | Int32Array, shape: readonly number[]): Value;

  protected one(
    name: string,
    inputs: readonly Value[],
    attributes: Record<string, Attribute>,
    shape: readonly number[],
    dataType: DataType = (inputs[0] as Value).dataType,
  ): Value {
    return this.run(name, inputs, attributes, [{ shape, dataType }])[0] as Value;
  }

  /**
   * The same value, but in a graph not before `event` is there. TensorFlow starts whatever has its inputs, and so
   * would widen all stored weights, or compute all layers anew, at once.
   */
  abstract after(x: Value, event: Value): Value;

  scalar(value: number): Value {
    return this.constant(Float32Array.of(value), []);
  }

  protected integers(values: readonly number[]): Value {
    return this.constant(Int32Array.from(values), [values.length]);
  }

  private binary(name: string, a: Value, b: Value, dataType = a.dataType): Value {
    return this.one(name, [a, b], { T: type(a.dataType) }, broadcast(a.shape, b.shape), dataType);
  }

  private unary(name: string, x: Value): Value {
    return this.one(name, [x], { T: type(x.dataType) }, x.shape);
  }

  add(a: Value, b: Value): Value {
    return this.binary('AddV2', a, b);
  }
  subtract(a: Value, b: Value): Value {
    return this.binary('Sub', a, b);
  }
  multiply(a: Value, b: Value): Value {
    return this.binary('Mul', a, b);
  }
  divide(a: Value, b: Value): Value {
    return this.binary('RealDiv', a, b);
  }
  minimum(a: Value, b: Value): Value {
    return this.binary('Minimum', a, b);
  }
  greaterEqual(a: Value, b: Value): Value {
    return this.binary('GreaterEqual', a, b, 'bool');
  }
  negate(x: Value): Value {
    return this.unary('Neg', x);
  }
  exp(x: Value): Value {
    return this.unary('Exp', x);
  }
  square(x: Value): Value {
    return this.unary('Square', x);
  }
  sqrt(x: Value): Value {
    return this.unary('Sqrt', x);
  }
  rsqrt(x: Value): Value {
    return this.unary('Rsqrt', x);
  }
  sigmoid(x: Value): Value {
    return this.unary('Sigmoid', x);
  }
  erf(x: Value): Value {
    return this.unary('Erf', x);
  }
  scale(x: Value, factor: number): Value {
    return factor === 1 ? x : this.multiply(x, this.scalar(factor));
  }

  /** `[m, k] x [k, n] -> [m, n]`, either side transposed on request; the result has the type of `a`. */
  matMul(a: Value, b: Value, options: { transposeA?: boolean; transposeB?: boolean } = {}): Value {
    const { transposeA = false, transposeB = false } = options;
    const [m, inner] = transposeA ? [a.shape[1], a.shape[0]] : a.shape;
    const [other, n] = transposeB ? [b.shape[1], b.shape[0]] : b.shape;
    if (a.shape.length !== 2 || b.shape.length !== 2 || inner !== other) {
      throw new Error(`cannot multiply [${a.shape}] by [${b.shape}]`);
    }
    const attributes = { transpose_a: bool(transposeA), transpose_b: bool(transposeB), T: type(this.productType) };
    const isStoredNarrow = b.dataType === 'bfloat16' && this.productType === 'float32';
    const right = isStoredNarrow ? this.after(b, a) : b;
    const factors = [this.cast(a, this.productType), this.cast(right, this.productType)];
    const product = this.one('MatMul', factors, attributes, [m as number, n as number]);
    return this.cast(product, a.dataType);
  }

  /** Matrix products over the leading axes, which broadcast. */
  batchMatMul(a: Value, b: Value, options: { transposeA?: boolean; transposeB?: boolean } = {}): Value {
    const { transposeA = false, transposeB = false } = options;
    const [rowsA, columnsA] = a.shape.slice(-2) as [number, number];
    const [rowsB, columnsB] = b.shape.slice(-2) as [number, number];
    if ((transposeA ? rowsA : columnsA) !== (transposeB ? columnsB : rowsB)) {
      throw new Error(`cannot multiply [${a.shape}] by [${b.shape}]`);
    }
    const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
    return this.one(
      'BatchMatMulV2',
      [a, b],
      { adj_x: bool(transposeA), adj_y: bool(transposeB), T: type(a.dataType) },
      [...batch, transposeA ? columnsA : rowsA, transposeB ? rowsB : columnsB],
    );
  }

  /** Adds a vector `[n]` to every row of `[m, n]`. */
  biasAdd(x: Value, bias: Value): Value {
    return this.one('BiasAdd', [x, bias], { T: type(x.dataType) }, x.shape);
  }

  reshape(x: Value, shape: readonly number[]): Value {
    if (sizeOf(shape) !== sizeOf(x.shape)) throw new Error(`cannot reshape [${x.shape}] to [${shape}]`);
    return this.one('Reshape', [x, this.integers(shape)], { T: type(x.dataType), Tshape: type('int32') }, shape);
  }

  transpose(x: Value, permutation: readonly number[]): Value {
    return this.one(
      'Transpose',
      [x, this.integers(permutation)],
      { T: type(x.dataType), Tperm: type('int32') },
      permutation.map((axis) => x.shape[axis] as number),
    );
  }

  concat(values: readonly Value[], axis: number): Value {
    const first = values[0] as Value;
    if (values.length === 1) return first;
    const shape = [...first.shape];
    shape[axis] = values.reduce((total, value) => total + (value.shape[axis] as number), 0);
    return this.one(
      'ConcatV2',
      [...values, this.constant(Int32Array.of(axis), [])],
      { N: int(values.length), T: type(first.dataType), Tidx: type('int32') },
      shape,
    );
  }

  /** Cuts `x` along `axis` into pieces of the given lengths. */
  split(x: Value, lengths: readonly number[], axis: number): Value[] {
    if (lengths.length === 1) return [x];
    return this.run(
      'SplitV',
      [x, this.integers(lengths), this.constant(Int32Array.of(axis), [])],
      { num_split: int(lengths.length), T: type(x.dataType), Tlen: type('int32') },
      lengths.map((length) => {
        const shape = [...x.shape];
        shape[axis] = length;
        return { shape, dataType: x.dataType };
      }),
    );
  }

  private reduce(name: string, x: Value, axes: readonly number[], keepDimensions: boolean): Value {
    const shape = x.shape.flatMap((length, axis) => (axes.includes(axis) ? (keepDimensions ? [1] : []) : [length]));
    return this.one(
      name,
      [x, this.integers(axes)],
      { keep_dims: bool(keepDimensions), T: type(x.dataType), Tidx: type('int32') },
      shape,
    );
  }

  sum(x: Value, axes: readonly number[], keepDimensions = false): Value {
    return this.reduce('Sum', x, axes, keepDimensions);
  }
  mean(x: Value, axes: readonly number[], keepDimensions = false): Value {
    return this.reduce('Mean', x, axes, keepDimensions);
  }

  /** Softmax over the last axis. */
  softmax(x: Value): Value {
    return this.unary('Softmax', x);
  }

  /** Log of the softmax over the last axis, of `[rows, classes]`. */
  logSoftmax(x: Value): Value {
    return this.unary('LogSoftmax', x);
  }

  /** Index of the highest of each row of `[rows, classes]`, the first of equals: int32 `[rows]`. */
  argMax(x: Value): Value {
    return this.one(
      'ArgMax',
      [x, this.constant(Int32Array.of(1), [])],
      { T: type(x.dataType), Tidx: type('int32'), output_type: type('int32') },
      [x.shape[0] as number],
      'int32',
    );
  }

  /** The `count` highest of each row of `[rows, n]`, highest first, and where they are (int32). */
  topK(x: Value, count: number): [values: Value, indices: Value] {
    const shape = [x.shape[0] as number, count];
    return this.run(
      'TopKV2',
      [x, this.constant(Int32Array.of(count), [])],
      { sorted: bool(true), T: type(x.dataType), Tk: type('int32'), index_type: type('int32') },
      [
        { shape, dataType: x.dataType },
        { shape, dataType: 'int32' },
      ],
    ) as [Value, Value];
  }

  /** A tensor of this shape whose values all are `value`, `[]`. */
  fill(shape: readonly number[], value: Value): Value {
    const attributes = { T: type(value.dataType), index_type: type('int32') };
    return this.one('Fill', [this.integers(shape), value], attributes, shape, value.dataType);
  }

  /** Adds `count` zeros at the end of an axis. */
  padEnd(x: Value, axis: number, count: number): Value {
    if (count === 0) return x;
    const paddings = Int32Array.from({ length: 2 * x.shape.length }, (_, place) =>
      place === 2 * axis + 1 ? count : 0,
    );
    return this.one(
      'Pad',
      [x, this.constant(paddings, [x.shape.length, 2])],
      { T: type(x.dataType), Tpaddings: type('int32') },
      x.shape.map((length, index) => (index === axis ? length + count : length)),
    );
  }

  /** Rows of `table` `[rows, ...]` at `indices` (any shape): `[...indices, ...]`. */
  gather(table: Value, indices: Value): Value {
    return this.one(
      'GatherV2',
      [table, indices, this.constant(Int32Array.of(0), [])],
      {
        Tparams: type(table.dataType),
        Tindices: type(indices.dataType),
        Taxis: type('int32'),
        batch_dims: int(0),
      },
      [...indices.shape, ...table.shape.slice(1)],
    );
  }

  /** Sums the rows of `data` `[n, ...]` that share an index: `[count, ...]`; negative indices are dropped. */
  segmentSum(data: Value, indices: Value, count: number): Value {
    return this.one(
      'UnsortedSegmentSum',
      [data, indices, this.constant(Int32Array.of(count), [])],
      { T: type(data.dataType), Tindices: type(indices.dataType), Tnumsegments: type('int32') },
      [count, ...data.shape.slice(1)],
    );
  }

  /** `condition` (bool, broadcasts) chooses between `a` and `b`. */
  select(condition: Value, a: Value, b: Value): Value {
    return this.one(
      'SelectV2',
      [condition, a, b],
      { T: type(a.dataType) },
      broadcast(condition.shape, broadcast(a.shape, b.shape)),
      a.dataType,
    );
  }

  /** Cross-entropy of `logits` `[n, classes]` against `labels` int32 `[n]`: losses `[n]` and d loss / d logits. */
  crossEntropy(logits: Value, labels: Value): [losses: Value, gradient: Value] {
    return this.run(
      'SparseSoftmaxCrossEntropyWithLogits',
      [logits, labels],
      { T: type(logits.dataType), Tlabels: type(labels.dataType) },
      [
        { shape: [logits.shape[0] as number], dataType: logits.dataType },
        { shape: logits.shape, dataType: logits.dataType },
      ],
    ) as [Value, Value];
  }

  /** Uniform numbers in [0, 1) that depend only on `seed`, int32 `[2]`. */
  randomUniform(shape: readonly number[], seed: Value): Value {
    return this.run(
      'StatelessRandomUniform',
      [this.integers(shape), seed],
      { dtype: type('float32'), T: type('int32'), Tseed: type(seed.dataType) },
      [{ shape, dataType: 'float32' }],
    )[0] as Value;
  }

  /** The same bits as another type: `[..., bytes]` of uint8 as `shape` of that type. */
  bitcast(x: Value, shape: readonly number[], dataType: DataType): Value {
    return this.one('Bitcast', [x], { T: type(x.dataType), type: type(dataType) }, shape, dataType);
  }

  cast(x: Value, dataType: DataType): Value {
    if (x.dataType === dataType) return x;
    return this.one(
      'Cast',
      [x],
      { SrcT: type(x.dataType), DstT: type(dataType), Truncate: bool(false) },
      x.shape,
      dataType,
    );
  }
}
