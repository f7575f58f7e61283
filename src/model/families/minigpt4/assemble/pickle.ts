/**
 * PyTorch's own checkpoints are pickles, which can run any code when they are read. Python's `torch.load` with
 * `weights_only` reads them for us, in a process of its own that hands over one tensor after the other.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { childEnvironment } from '../../../../core/child-environment.ts';
import { InputError } from '../../../../core/input-error.ts';
import { widenBfloat16, widenFloat16 } from '../../../files/half-precision.ts';
import { bytesPerValue, type TensorDtype, valueCount } from '../../../files/safetensors-header.ts';
import type { SourceTensor, TensorSource } from './source-tensor.ts';

const program = fileURLToPath(new URL('../../../../../scripts/python/serve-checkpoint.py', import.meta.url));

const headerSchema = z.union([
  z.object({ error: z.string() }),
  z.object({
    tensors: z.array(
      z.object({
        name: z.string(),
        dtype: z.enum(['F32', 'F16', 'BF16', 'I64']),
        shape: z.array(z.number().int().nonnegative()),
      }),
    ),
  }),
]);

/**
 * Opens a `.pth` or `.bin`. A state dict under the key `model` or `state_dict` is found.
 *
 * @param python a Python with torch
 * @throws InputError for a file that PyTorch refuses: damaged, or one that would run code
 */
export async function openPickle(file: string, python: string): Promise<TensorSource> {
  const child = spawn(python, [program, file], { env: childEnvironment() });
  const errors: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  // That a child has ended shows in its output, which ends too.
  child.stdin.on('error', () => {});
  const started = Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error))]);
  const output = new ByteReader(child, () => failure(file, python, Buffer.concat(errors).toString()));
  const close = async () => {
    child.stdin.destroy();
    child.kill();
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) await once(child, 'close');
  };
  try {
    await started;
    const header = headerSchema.parse(JSON.parse(await output.line()));
    if ('error' in header) {
      const remedy = 'Download it again; a checkpoint that holds more than data is not read';
      throw new InputError({ file, problem: header.error, remedy });
    }
    let queue: Promise<unknown> = Promise.resolve();
    const tensors = header.tensors.map(({ name, dtype, shape }): [string, SourceTensor] => {
      const read = () => {
        const bytes = queue.then(() => {
          child.stdin.write(`${name}\n`);
          return output.bytes(valueCount(shape) * bytesPerValue[dtype]);
        });
        queue = bytes.catch(() => undefined);
        return bytes.then((data) => widened(data, dtype));
      };
      return [name, { file, name, shape, read }];
    });
    return { place: file, tensors: new Map(tensors), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function failure(file: string, python: string, messages: string): InputError {
  const last = messages.trim().split('\n').at(-1) ?? '';
  return new InputError({
    file,
    problem: `${python} ended while reading it${last && `: ${last}`}`,
    remedy: 'Run `dataengine setup --python`; a file that does not fit in memory may need more of it',
  });
}

function widened(bytes: Uint8Array, dtype: TensorDtype): Float32Array {
  const { buffer } = bytes;
  if (dtype === 'F32') return new Float32Array(buffer);
  if (dtype === 'I64') return Float32Array.from(new BigInt64Array(buffer), Number);
  const patterns = new Uint16Array(buffer);
  const values = new Float32Array(patterns.length);
  if (dtype === 'F16') widenFloat16(patterns, values);
  else widenBfloat16(patterns, values);
  return values;
}

/** Takes a process's output piece by piece, no faster than it is requested. */
class ByteReader {
  private readonly chunks: AsyncIterator<Buffer>;
  private readonly ended: () => Error;
  private rest: Buffer = Buffer.alloc(0);

  constructor(child: ChildProcessWithoutNullStreams, ended: () => Error) {
    this.chunks = child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.ended = ended;
  }

  private async next(): Promise<Buffer> {
    const { value, done } = await this.chunks.next();
    if (done) throw this.ended();
    return value;
  }

  async line(): Promise<string> {
    const parts: Buffer[] = [this.rest];
    while (!parts.at(-1)?.includes(10)) parts.push(await this.next());
    const all = Buffer.concat(parts);
    const end = all.indexOf(10);
    this.rest = all.subarray(end + 1);
    return all.subarray(0, end).toString();
  }

  async bytes(count: number): Promise<Uint8Array> {
    const result = new Uint8Array(count);
    let done = 0;
    while (done < count) {
      if (this.rest.length === 0) this.rest = await this.next();
      const taken = this.rest.subarray(0, count - done);
      result.set(taken, done);
      done += taken.length;
      this.rest = this.rest.subarray(taken.length);
    }
    return result;
  }
}
