import type { FileHandle } from 'node:fs/promises';
import { InputError } from '../../core/input-error.ts';
import { openWithoutWaiting } from '../../core/regular-file.ts';
import { narrowToBfloat16, narrowToFloat16, widenBfloat16, widenFloat16 } from './half-precision.ts';
import {
  bytesPerValue,
  damaged,
  largestHeader,
  parseHeader,
  type TensorInfo,
  valueCount,
  type WeightFormat,
} from './safetensors-header.ts';
import { withTemporaryFile } from './temporary-file.ts';

export type { TensorInfo } from './safetensors-header.ts';

/** An open safetensors file: the header is in memory, the tensors are on disk until read. */
export interface SafetensorsFile {
  file: string;
  /** In the order of their bytes. */
  tensors: Map<string, TensorInfo>;
  metadata: Record<string, string>;
  /** The values of a tensor, row-major; F16 and BF16 widened, I64 as (rounded) numbers. */
  read(name: string): Promise<Float32Array>;
  /** The bytes of a tensor as they are, in pieces of at most 16 MB. */
  readBytes(name: string): AsyncGenerator<Uint8Array>;
  close(): Promise<void>;
}

/** A tensor's values, or its bytes as they are to be in the file. */
export type TensorData = Float32Array | AsyncIterable<Uint8Array>;

/** A tensor to write. A function as `data` is called when its turn comes, so that one tensor at a time is in memory. */
export interface TensorToWrite {
  name: string;
  shape: number[];
  /** Default: the file's. Values are rounded to it, ties to even. */
  dtype?: WeightFormat;
  data: Float32Array | (() => TensorData | Promise<TensorData>);
}

const bytesAtOnce = 16 * 1024 * 1024;

/**
 * Opens a safetensors file and checks its header against its size.
 *
 * @throws InputError naming file and tensor if the file is missing, cut short, or not as the format says.
 * @example
 * const file = await openSafetensors('model.safetensors');
 * const values = await file.read('query_tokens');
 * await file.close();
 */
export async function openSafetensors(file: string): Promise<SafetensorsFile> {
  const handle = await openForReading(file);
  try {
    const { tensors, metadata } = await readHeader(handle, file);
    const find = (name: string): TensorInfo => {
      const info = tensors.get(name);
      if (!info) throw damaged(file, name, 'the file has no such tensor');
      return info;
    };
    return {
      file,
      tensors,
      metadata,
      read: async (name) => readValues(handle, file, find(name)),
      readBytes: (name) => readPieces(handle, file, find(name)),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openForReading(file: string): Promise<FileHandle> {
  try {
    return await openWithoutWaiting(file);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError({
      file,
      problem: `can't be opened (${(error as NodeJS.ErrnoException).code})`,
      remedy: 'Check the path of the model',
    });
  }
}

async function readHeader(handle: FileHandle, file: string): Promise<ReturnType<typeof parseHeader>> {
  const fileBytes = (await handle.stat()).size;
  const lengthField = Buffer.alloc(8);
  if (fileBytes < 8) throw damaged(file, undefined, `the file is cut short: it has ${fileBytes} bytes, no header`);
  await readFully(handle, file, lengthField, 0);
  const headerLength = lengthField.readBigUInt64LE();
  if (headerLength > largestHeader || headerLength < 2) {
    throw damaged(file, undefined, `not a safetensors file: its header would be ${headerLength} bytes long`);
  }
  const dataStart = 8 + Number(headerLength);
  if (dataStart > fileBytes) {
    throw damaged(file, undefined, `the file is cut short: ${dataStart - fileBytes} bytes of the header are missing`);
  }
  const header = Buffer.alloc(Number(headerLength));
  await readFully(handle, file, header, 8);
  return parseHeader({ file, text: header.toString('utf8'), dataStart, fileBytes });
}

async function readFully(handle: FileHandle, file: string, target: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < target.byteLength) {
    const length = Math.min(bytesAtOnce, target.byteLength - done);
    const { bytesRead } = await handle.read(target, done, length, position + done);
    if (bytesRead === 0) throw damaged(file, undefined, `the file ends at byte ${position + done}`);
    done += bytesRead;
  }
}

async function* readPieces(handle: FileHandle, file: string, info: TensorInfo): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < info.byteLength; done += bytesAtOnce) {
    const piece = new Uint8Array(Math.min(bytesAtOnce, info.byteLength - done));
    await readFully(handle, file, piece, info.byteOffset + done);
    yield piece;
  }
}

async function readValues(handle: FileHandle, file: string, info: TensorInfo): Promise<Float32Array> {
  const values = new Float32Array(valueCount(info.shape));
  if (info.dtype === 'F32') {
    await readFully(handle, file, new Uint8Array(values.buffer), info.byteOffset);
    return values;
  }
  let offset = 0;
  for await (const piece of readPieces(handle, file, info)) {
    if (info.dtype === 'I64') values.set(Float32Array.from(new BigInt64Array(piece.buffer), Number), offset);
    else if (info.dtype === 'F16') widenFloat16(new Uint16Array(piece.buffer), values, offset);
    else widenBfloat16(new Uint16Array(piece.buffer), values, offset);
    offset += piece.byteLength / bytesPerValue[info.dtype];
  }
  return values;
}

/**
 * Writes tensors in the order given, byte for byte the same for the same input. The file appears
 * whole or not at all. Metadata is `{ format: 'pt' }` by default: `transformers` requires it.
 *
 * @throws Error if a tensor's values don't fill its shape, or two have the same name.
 */
export async function writeSafetensors(
  file: string,
  tensors: Iterable<TensorToWrite>,
  options: { dtype?: WeightFormat; metadata?: Record<string, string> } = {},
): Promise<void> {
  const { dtype: usual = 'F32', metadata = { format: 'pt' } } = options;
  const list = [...tensors];
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const { name, shape, dtype = usual } of list) {
    if (Object.hasOwn(header, name)) throw new Error(`${file}: two tensors are called ${name}`);
    const end = offset + valueCount(shape) * bytesPerValue[dtype];
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  await withTemporaryFile(file, async (handle) => {
    await handle.writeFile(encodeHeader(header));
    for (const { name, shape, dtype = usual, data } of list) {
      const given = typeof data === 'function' ? await data() : data;
      const pieces = given instanceof Float32Array ? [encodeValues(given, dtype)] : given;
      let bytes = 0;
      for await (const piece of pieces) {
        bytes += piece.byteLength;
        await handle.writeFile(piece);
      }
      const values = bytes / bytesPerValue[dtype];
      if (values !== valueCount(shape)) {
        throw new Error(`${file}: ${name} has ${values} values, its shape [${shape.join(', ')}] says otherwise`);
      }
    }
  });
}

function encodeHeader(header: Record<string, unknown>): Uint8Array {
  const text = Buffer.from(JSON.stringify(header), 'utf8');
  // Spaces up to a multiple of 8, so that readers which map the file get aligned tensors.
  const padded = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
  padded.writeBigUInt64LE(BigInt(padded.length - 8));
  text.copy(padded, 8);
  return padded;
}

function encodeValues(values: Float32Array, dtype: WeightFormat): Uint8Array {
  const encoded = dtype === 'F32' ? values : dtype === 'F16' ? narrowToFloat16(values) : narrowToBfloat16(values);
  return new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength);
}
