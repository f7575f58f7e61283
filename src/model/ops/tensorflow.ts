/**
 * The native TensorFlow library, as the addon of `@tensorflow/tfjs-node-gpu` exposes it.
 *
 * The model talks to the addon's binding directly: raw operations by name, and whole graphs through
 * SavedModel. The layer above (`Ops`) is the only user.
 */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { projectFile } from '../../core/files.ts';

export type DataType = 'float32' | 'int32' | 'uint8' | 'string' | 'int64' | 'bool' | 'bfloat16' | 'resource';
export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** TensorFlow's `DataType` enumeration (tensorflow/core/framework/types.proto). */
export const DATA_TYPE_CODES: Record<DataType, number> = {
  float32: 1,
  int32: 3,
  uint8: 4,
  string: 7,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  resource: 20,
};

/** Bytes of one value; a resource is a handle, and a string's own bytes lie elsewhere. */
export const BYTES_PER_VALUE: Record<DataType, number> = {
  float32: 4,
  int32: 4,
  uint8: 1,
  int64: 8,
  bool: 1,
  bfloat16: 2,
  string: 24,
  resource: 0,
};

export interface OperationAttribute {
  name: string;
  type: number;
  value: boolean | number | string | number[];
}

export interface TensorMetadata {
  id: number;
  shape: number[];
  dtype: number;
}

/** The part of the addon's binding that the model uses (its `tfjs_binding.d.ts`). */
export interface Binding {
  /** `values` of a string tensor: the UTF-8 of each; of an int64 tensor: low and high halves. */
  createTensor(shape: number[], dataType: number, values: TypedArray | Uint8Array[]): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): TypedArray;
  executeOp(name: string, attributes: OperationAttribute[], inputs: number[], outputCount: number): TensorMetadata[];
  loadSavedModel(directory: string, tags: string): number;
  deleteSavedModel(id: number): void;
  runSavedModel(id: number, inputs: number[], inputNames: string, outputNames: string): TensorMetadata[];
  isUsingGpuDevice(): boolean;
  getNumOfTensors(): number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
  readonly TF_Version: string;
}

/**
 * Loads modules of the addon's npm package and what it depends on: one beside ours in a checkout; where this project is itself
 * an installed package, those that the set-up put into its cache (scripts/setup/packages.mjs).
 */
export function addonRequire(): NodeJS.Require {
  const own = projectFile('.cache/npm/package.json');
  return createRequire(existsSync(own) ? own : import.meta.url);
}

let loaded: Binding | undefined;

/**
 * Loads native TensorFlow on first use. Only the addon of the npm package is loaded: its JavaScript holds some
 * 50 MiB, and takes a second to load, for operations that nothing here calls.
 *
 * @throws Error when the addon or the library is missing, naming the command that installs it.
 */
export function nativeBinding(): Binding {
  if (loaded) return loaded;
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  // oneDNN's matrix products are a fifth faster also where TensorFlow leaves them off (no AVX-512).
  process.env.TF_ENABLE_ONEDNN_OPTS ??= '1';
  // float32 is float32 also on GPUs that have TensorFloat-32, unless a job asks for it.
  process.env.NVIDIA_TF32_OVERRIDE ??= '0';
  try {
    const require = addonRequire();
    loaded = require(addonFile(require)) as Binding;
  } catch (cause) {
    throw new Error(
      'Native TensorFlow could not be loaded. Run `dataengine setup`; `dataengine doctor` shows what is missing.',
      { cause },
    );
  }
  return loaded;
}

/**
 * What matrix products of the language model are computed in. tensorfloat32 (10 bits of mantissa) lets NVIDIA GPUs that
 * have it round the factors of float32 products, and so does bfloat16 for what it leaves in float32; CPUs do not.
 */
export type ComputeDtype = 'float32' | 'tensorfloat32' | 'bfloat16';

/**
 * Sets TensorFloat-32 for the process. CUDA's libraries read the setting when they are loaded: call this before the
 * first operation.
 *
 * @returns the type that products by weights are to be traced in
 */
export function useComputeDtype(computeDtype: ComputeDtype = 'float32'): 'float32' | 'bfloat16' {
  process.env.NVIDIA_TF32_OVERRIDE = computeDtype === 'float32' ? '0' : '1';
  return productTypeOf(computeDtype);
}

/** The type of the factors of products by weights. */
export function productTypeOf(computeDtype: ComputeDtype): 'float32' | 'bfloat16' {
  return computeDtype === 'bfloat16' ? 'bfloat16' : 'float32';
}

/** The addon, in the folder of the Node-API version that it was built for. */
function addonFile(require: NodeJS.Require): string {
  const folder = path.join(path.dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json')), 'lib');
  const file = readdirSync(folder)
    .map((name) => path.join(folder, name, 'tfjs_binding.node'))
    .find((candidate) => existsSync(candidate));
  if (!file) throw new Error(`${folder} has no tfjs_binding.node`);
  return file;
}
