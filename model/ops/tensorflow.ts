/**
 * The native TensorFlow library, as the addon of `@tensorflow/tfjs-node-gpu` exposes it.
 *
 * The model talks to the addon's binding directly: raw operations by name, and whole graphs through
 * SavedModel. The layer above (`Ops`) is the only user.
 */
import { createRequire } from 'node:module';

export type DataType = 'float32' | 'int32' | 'uint8' | 'int64' | 'bool' | 'bfloat16' | 'resource';
export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** TensorFlow's `DataType` enumeration (tensorflow/core/framework/types.proto). */
export const DATA_TYPE_CODES: Record<DataType, number> = {
  float32: 1,
  int32: 3,
  uint8: 4,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  resource: 20,
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
  createTensor(shape: number[], dataType: number, values: TypedArray): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): TypedArray;
  executeOp(name: string, attributes: OperationAttribute[], inputs: number[], outputCount: number): TensorMetadata[];
  loadSavedModel(directory: string, tags: string): number;
  deleteSavedModel(id: number): void;
  runSavedModel(id: number, inputs: number[], inputNames: string, outputNames: string): TensorMetadata[];
  isUsingGpuDevice(): boolean;
  getNumOfTensors(): number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
  readonly TF_Version: string;
}

export interface SummaryFileWriter {
  scalar(name: string, value: number, step: number): void;
  flush(): void;
}

interface TensorFlowModule {
  backend(): { binding: Binding };
  node: { summaryFileWriter(logDirectory: string): SummaryFileWriter };
}

const require = createRequire(import.meta.url);
let loaded: TensorFlowModule | undefined;

function tensorFlow(): TensorFlowModule {
  if (loaded) return loaded;
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  process.env.NODE_ENV ??= 'production';
  try {
    loaded = require('@tensorflow/tfjs-node-gpu') as TensorFlowModule;
  } catch (cause) {
    throw new Error(
      'Native TensorFlow could not be loaded. Run `npm run setup`; `dataengine doctor` tells what is missing.',
      { cause },
    );
  }
  return loaded;
}

/**
 * Whether float32 matrix products may be done in TensorFloat-32 (10 bits of mantissa) on NVIDIA GPUs that have it,
 * which TensorFlow does unless told otherwise. CUDA's libraries read the setting when they are loaded: call this
 * before the first operation. On a CPU it changes nothing.
 */
export function allowTensorFloat32(allowed: boolean): void {
  process.env.NVIDIA_TF32_OVERRIDE = allowed ? '1' : '0';
}

/**
 * Loads native TensorFlow on first use.
 *
 * @throws Error when the addon or the library is missing, telling the command that installs it.
 */
export function nativeBinding(): Binding {
  return tensorFlow().backend().binding;
}

/** Writes TensorBoard event files into `directory`. */
export function summaryFileWriter(directory: string): SummaryFileWriter {
  return tensorFlow().node.summaryFileWriter(directory);
}
