/** TensorBoard's event files, through TensorFlow's own writer (tensorflow/core/ops/summary_ops.cc). */
import { DATA_TYPE_CODES, type DataType, nativeBinding, type TypedArray } from './tensorflow.ts';

export interface SummaryWriter {
  /** @param step from 0 to 2^31 - 1 */
  scalar(name: string, value: number, step: number): void;
  flush(): void;
  /** Writes what is left and closes the file. */
  close(): void;
}

const MAXIMUM_QUEUE = 10;
const FLUSH_MILLISECONDS = 120_000;

let opened = 0;

/** Opens a new event file in `directory`, which is made if need be. */
export function summaryWriter(directory: string): SummaryWriter {
  const binding = nativeBinding();
  const scalarOf = (dataType: DataType, values: TypedArray | Uint8Array[]) =>
    binding.createTensor([], DATA_TYPE_CODES[dataType], values);
  const text = (value: string) => scalarOf('string', [new TextEncoder().encode(value)]);
  const run = (operation: string, inputs: number[], attributes: Parameters<typeof binding.executeOp>[1] = []) => {
    binding.executeOp(operation, attributes, [writer, ...inputs], 0);
    for (const id of inputs) binding.deleteTensor(id);
  };

  const [resource] = binding.executeOp(
    'SummaryWriter',
    // Named alike, two writers would be one.
    [{ name: 'shared_name', type: binding.TF_ATTR_STRING, value: `${directory}#${opened++}` }],
    [],
    1,
  );
  const writer = resource?.id as number;
  run('CreateSummaryFileWriter', [
    text(directory),
    scalarOf('int32', Int32Array.of(MAXIMUM_QUEUE)),
    scalarOf('int32', Int32Array.of(FLUSH_MILLISECONDS)),
    text('.v2'),
  ]);
  return {
    scalar: (name, value, step) =>
      run(
        'WriteScalarSummary',
        [scalarOf('int64', Int32Array.of(step, 0)), text(name), scalarOf('float32', Float32Array.of(value))],
        [{ name: 'T', type: binding.TF_ATTR_TYPE, value: DATA_TYPE_CODES.float32 }],
      ),
    flush: () => run('FlushSummaryWriter', []),
    close: () => {
      run('CloseSummaryWriter', []);
      binding.deleteTensor(writer);
    },
  };
}
