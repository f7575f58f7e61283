/** The tensors of a merged model: computed in float32, and rounded once. */
import { InputError } from '../../../core/input-error.ts';
import type { Adapter, LoraPair } from '../../../model/files/adapter.ts';
import type { ModelDirectory } from '../../../model/files/model-directory.ts';
import type { TensorData, TensorToWrite } from '../../../model/files/safetensors.ts';
import { bytesPerValue, valueCount, type WeightFormat } from '../../../model/files/safetensors-header.ts';
import type { WeightFile } from '../../../model/files/tensor-directory.ts';
import type { MergeJob } from '../../protocol.ts';
import type { JobReporter } from '../../trainer-side.ts';

const formats = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const;

/** The adapter's factors for a weight, if it changes that. */
export function pairOf({ tensors }: Adapter, weight: string): LoraPair | undefined {
  return weight.endsWith('.weight') ? tensors.get(weight.slice(0, -'.weight'.length)) : undefined;
}

/**
 * `W + scaling * B A` for one weight, in float32; of DoRA each row scaled to its magnitude.
 *
 * @param weight `[out, in]`
 */
export function mergedWeight(
  weight: { shape: readonly number[]; data: Float32Array },
  { A, B, scaling, magnitude }: LoraPair,
): Float32Array {
  const [outputs, inputs] = weight.shape as [number, number];
  const merged = weight.data.slice();
  const rank = A.shape[0] as number;
  for (let row = 0; row < outputs; row++) {
    for (let inner = 0; inner < rank; inner++) {
      const factor = (B.data[row * rank + inner] as number) * scaling;
      if (factor === 0) continue;
      for (let column = 0; column < inputs; column++) {
        const place = row * inputs + column;
        merged[place] = (merged[place] as number) + factor * (A.data[inner * inputs + column] as number);
      }
    }
  }
  if (magnitude === undefined) return merged;
  for (let row = 0; row < outputs; row++) {
    const values = merged.subarray(row * inputs, (row + 1) * inputs);
    const factor = (magnitude.data[row] as number) / Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    for (let column = 0; column < inputs; column++) values[column] = (values[column] as number) * factor;
  }
  return merged;
}

/** What a merged model consists of. */
export interface MergedTensors {
  /** Read when its turn to be written comes: one at a time is in memory. */
  tensors: TensorToWrite[];
  /** Files of the base model in which nothing changes. */
  unchanged: WeightFile[];
  /** What most of the bytes are in: the type that the model's config names. */
  dtype: WeightFormat;
}

/**
 * @param dtype what the weights are written as, or `base`
 * @param directory of the adapter
 * @throws InputError when an adapter's layer is not in the model, or has another size
 */
export function mergedTensors(
  base: ModelDirectory,
  adapter: Adapter,
  { dtype = 'base', adapter: directory }: Pick<MergeJob, 'dtype' | 'adapter'>,
  reporter: JobReporter,
): MergedTensors {
  checkLayers(base, adapter, directory);
  const formatOf = (name: string): WeightFormat => {
    if (dtype !== 'base') return formats[dtype];
    const own = base.dtypeOf(name);
    return own === 'I64' ? 'F32' : own;
  };
  const isUnchanged = (name: string) =>
    pairOf(adapter, name) === undefined && !adapter.saved.has(name) && formatOf(name) === base.dtypeOf(name);
  const unchanged = base.files.filter(({ names }) => names.every(isUnchanged));
  const elsewhere = new Set(unchanged.flatMap(({ names }) => names));
  const written = base.names().filter((name) => !elsewhere.has(name));
  let done = 0;
  const read = async (name: string): Promise<TensorData> => {
    reporter.requireFence();
    reporter.progress({ step: ++done, steps: written.length });
    if (isUnchanged(name)) return base.readBytes(name);
    const saved = adapter.saved.get(name);
    if (saved) return saved.data;
    const weight = await base.read(name);
    const pair = pairOf(adapter, name);
    return pair ? mergedWeight(weight, pair) : weight.data;
  };
  return {
    tensors: written.map((name) => ({
      name,
      shape: [...(base.shapes.get(name) as readonly number[])],
      dtype: formatOf(name),
      data: () => read(name),
    })),
    unchanged,
    dtype: mostUsed(base, formatOf),
  };
}

function checkLayers({ shapes }: ModelDirectory, adapter: Adapter, directory: string): void {
  const remedy = 'Use the adapter with the model it was trained on';
  for (const [name, { shape }] of adapter.saved) {
    const own = shapes.get(name)?.join(', ');
    if (own === shape.join(', ')) continue;
    const problem =
      own === undefined ? 'is not in the base model' : `is [${shape.join(', ')}], the model's is [${own}]`;
    throw new InputError({ file: directory, field: name, problem, remedy });
  }
  for (const [module, { A, B }] of adapter.tensors) {
    const shape = shapes.get(`${module}.weight`);
    if (shape === undefined) {
      throw new InputError({ file: directory, field: module, problem: 'the base model has no such layer', remedy });
    }
    if (B.shape[0] === shape[0] && A.shape[1] === shape[1]) continue;
    throw new InputError({
      file: directory,
      field: `${module}.weight`,
      problem: `adapts a weight of [${B.shape[0]}, ${A.shape[1]}], the model's is [${shape.join(', ')}]`,
      remedy,
    });
  }
}

function mostUsed({ shapes }: ModelDirectory, formatOf: (name: string) => WeightFormat): WeightFormat {
  const bytes = new Map<WeightFormat, number>();
  for (const [name, shape] of shapes) {
    const format = formatOf(name);
    bytes.set(format, (bytes.get(format) ?? 0) + valueCount(shape) * bytesPerValue[format]);
  }
  return [...bytes].reduce((most, one) => (one[1] > most[1] ? one : most))[0];
}
