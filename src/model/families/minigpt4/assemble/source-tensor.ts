/** One tensor, on disk until it is read. */
export interface SourceTensor {
  file: string;
  /** Its name in that file. */
  name: string;
  shape: readonly number[];
  /** Row-major. */
  read(): Promise<Float32Array>;
}

export interface TensorSource {
  /** The path as it was given. */
  place: string;
  tensors: ReadonlyMap<string, SourceTensor>;
  close(): Promise<void>;
}
