import { narrowToBfloat16 } from '../../model/files/half-precision.ts';
import type { TensorDirectory } from '../../model/files/tensor-directory.ts';
import type { ProductType } from '../../model/ops/ops.ts';
import type { Program, WeightDtype } from '../../model/ops/program.ts';
import type { Weights } from '../../model/ops/tape.ts';
import { frozen, type Variable } from '../../model/ops/tape.ts';

/** How weights will be used. */
export type WeightUse = 'forward' | 'forward and backward';

/** Between the names of tensors whose rows are one variable, one after another. */
const JOINT = ' + ';

/** The name under which matrices of several layers are one weight, `[sum of all out, in]`. */
export const joinedName = (names: readonly string[]): string => names.join(JOINT);

/**
 * Weights of a model directory as variables of a program; only those that the traced functions ask for. A name may be that of
 * several matrices (`joinedName`).
 *
 * @param weightDtype of the language model's matrices, all or by name; vectors, such as norms, stay float32
 * @param use decides which way round the matrices of its layers are kept: `[out, in]` as in the files, or transposed
 */
export function frozenWeights(
  program: Program,
  { shapes }: Pick<TensorDirectory, 'shapes'>,
  {
    weightDtype = 'float32',
    use,
  }: { weightDtype?: WeightDtype | ((name: string) => WeightDtype) | undefined; use: WeightUse },
): Weights {
  const known = new Map<string, Variable>();
  return (name) => {
    const variable = known.get(name);
    if (variable) return variable;
    const shape = joinedShape(shapes, name);
    const isMatrix = shape.length === 2 && name.startsWith('language_model.');
    const kept = typeof weightDtype === 'string' ? weightDtype : weightDtype(name);
    // Rows of the embeddings are looked up, too.
    const isOfLayer = isMatrix && !name.endsWith('.embed_tokens.weight');
    const isTransposed = isOfLayer && isFasterTransposed(shape, use, program.productType);
    const value = program.variable(name, shape, { dtype: isMatrix ? kept : 'float32', isTransposed });
    const declared = { ...frozen(value), isTransposed };
    known.set(name, declared);
    return declared;
  };
}

function joinedShape(shapes: TensorDirectory['shapes'], name: string): readonly number[] {
  const all = name.split(JOINT).map((one) => {
    const shape = shapes.get(one);
    if (!shape) throw new Error(`the model has no tensor '${one}'`);
    return shape;
  });
  const [first, ...others] = all as [readonly number[], ...(readonly number[])[]];
  if (others.length === 0) return first;
  return [all.reduce((sum, [rows]) => sum + (rows as number), 0), ...first.slice(1)];
}

/**
 * CPUs multiply by `[in, out]` in float32 in up to a third less time than by the transpose of `[out, in]`, the more so
 * the longer `in` is. One of the two directions has to transpose: then rather the one whose inner length is shorter. In
 * bfloat16 nothing is gained. `bench:score` and `bench:train` see it; GPUs do not care.
 */
function isFasterTransposed(shape: readonly number[], use: WeightUse, productType: ProductType): boolean {
  const [outputSize, inputSize] = shape as [number, number];
  return productType === 'float32' && (use === 'forward' || inputSize > outputSize);
}

/** Small tensors are given together up to so many bytes: every run of an assignment takes time of its own. */
const GROUP_BYTES = 16 * 2 ** 20;

/**
 * Streams the weights into a loaded program: at any time one tensor, or a group of small ones, is in memory
 * beside what TensorFlow has.
 */
export async function loadWeights(
  program: Program,
  model: TensorDirectory,
  { groupBytes = GROUP_BYTES }: { groupBytes?: number } = {},
): Promise<void> {
  const group = new Map<string, Float32Array | Uint8Array>();
  let bytes = 0;
  const flush = () => {
    program.assignAll(group);
    group.clear();
    bytes = 0;
  };
  const joined = [...program.variableShapes().keys()].filter((name) => name.includes(JOINT));
  for (const name of [...model.names(), ...joined]) {
    if (!program.has(name)) continue;
    const data = await readAs(model, name, program.dtypeOf(name));
    if (bytes + data.byteLength > groupBytes) flush();
    group.set(name, data);
    bytes += data.byteLength;
  }
  flush();
}

async function readAs(
  model: TensorDirectory,
  name: string,
  weightDtype: WeightDtype,
): Promise<Float32Array | Uint8Array> {
  const parts: Float32Array[] = [];
  for (const one of name.split(JOINT)) parts.push((await model.read(one)).data);
  const data = parts.length === 1 ? (parts[0] as Float32Array) : concatenated(parts);
  return weightDtype === 'float32' ? data : new Uint8Array(narrowToBfloat16(data).buffer);
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
