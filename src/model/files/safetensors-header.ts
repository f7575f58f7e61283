import { z } from 'zod';
import { describeFirstIssue, InputError } from '../../core/input-error.ts';

/** Bytes of one value of each number format that checkpoints of our models use. */
export const bytesPerValue = { F32: 4, F16: 2, BF16: 2, I64: 8 } as const;

export type TensorDtype = keyof typeof bytesPerValue;
/** Those that weights are written in. */
export type WeightFormat = Exclude<TensorDtype, 'I64'>;

/** Where a tensor is in its file. `byteOffset` counts from the start of the file. */
export interface TensorInfo {
  name: string;
  dtype: TensorDtype;
  shape: number[];
  byteOffset: number;
  byteLength: number;
}

/** The official library refuses longer headers too. */
export const largestHeader = 100_000_000;

const count = z.number().int().nonnegative();
const entrySchema = z.strictObject({
  dtype: z.enum(['F32', 'F16', 'BF16', 'I64']),
  shape: z.array(count),
  data_offsets: z.tuple([count, count]),
});
const metadataSchema = z.record(z.string(), z.string());

/** How many values a tensor of this shape has; a scalar (`[]`) has one. */
export function valueCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Parses the JSON header of a safetensors file and checks it against the size of the file:
 * each tensor's bytes match its shape, and the tensors fill the file with no gap and no overlap.
 * Follows https://huggingface.co/docs/safetensors (section Format).
 *
 * @throws InputError naming the file and the wrong tensor, and how many bytes are missing.
 */
export function parseHeader(input: { file: string; text: string; dataStart: number; fileBytes: number }): {
  tensors: Map<string, TensorInfo>;
  metadata: Record<string, string>;
} {
  const { file, dataStart, fileBytes } = input;
  const { __metadata__, ...entries } = parseObject(file, input.text);
  const metadata = metadataSchema.optional().safeParse(__metadata__);
  if (!metadata.success) {
    throw damaged(file, '__metadata__', 'the metadata of the header is not a table of texts');
  }
  const inFileOrder = Object.entries(entries)
    .map(([name, entry]) => parseEntry(file, name, entry, dataStart))
    .sort((one, other) => one.byteOffset - other.byteOffset || one.byteLength - other.byteLength);

  let expectedOffset = dataStart;
  for (const tensor of inFileOrder) {
    if (tensor.byteOffset !== expectedOffset) {
      throw damaged(
        file,
        tensor.name,
        `its bytes start at ${tensor.byteOffset - dataStart}, but the tensor before it ends at ${expectedOffset - dataStart}`,
      );
    }
    expectedOffset += tensor.byteLength;
    if (expectedOffset > fileBytes) throw cutShort(file, tensor, fileBytes, inFileOrder.at(-1) ?? tensor);
  }
  if (expectedOffset !== fileBytes) {
    throw damaged(file, undefined, `${fileBytes - expectedOffset} bytes follow the last tensor`);
  }
  return { tensors: new Map(inFileOrder.map((tensor) => [tensor.name, tensor])), metadata: metadata.data ?? {} };
}

function parseObject(file: string, text: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch {
    throw damaged(file, undefined, 'the header is not a JSON object');
  }
}

function parseEntry(file: string, name: string, entry: unknown, dataStart: number): TensorInfo {
  const parsed = entrySchema.safeParse(entry);
  if (!parsed.success) {
    const { field, problem } = describeFirstIssue(parsed.error);
    throw damaged(file, name, `${field || 'entry'}: ${problem}`);
  }
  const { dtype, shape, data_offsets } = parsed.data;
  const byteLength = data_offsets[1] - data_offsets[0];
  const needed = valueCount(shape) * bytesPerValue[dtype];
  if (byteLength !== needed) {
    throw damaged(
      file,
      name,
      `the header gives it ${byteLength} bytes, but ${dtype} [${shape.join(', ')}] takes ${needed}`,
    );
  }
  return { name, dtype, shape, byteOffset: dataStart + data_offsets[0], byteLength };
}

function cutShort(file: string, tensor: TensorInfo, fileBytes: number, last: TensorInfo): InputError {
  const missingHere = tensor.byteOffset + tensor.byteLength - fileBytes;
  const missingInAll = last.byteOffset + last.byteLength - fileBytes;
  return damaged(
    file,
    tensor.name,
    `the file is cut short: ${missingHere} of the tensor's ${tensor.byteLength} bytes are missing, ${missingInAll} bytes in all`,
  );
}

/** The error of a safetensors file that isn't as the format says. */
export function damaged(file: string, tensor: string | undefined, problem: string): InputError {
  return new InputError({ file, field: tensor, problem, remedy: 'Download or write the file again' });
}
