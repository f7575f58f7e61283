import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/input-error.ts';
import { openSafetensors, writeSafetensors } from '../../../src/model/files/safetensors.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await temporaryFolder();
  file = path.join(directory, 'model.safetensors');
});

const first = { name: 'first', shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0.1, 1e-8, 70000) };
const second = { name: 'second', shape: [], data: Float32Array.of(7) };

/** A file with the header given and so many bytes of data. */
async function writeRaw(header: unknown, dataBytes: number): Promise<void> {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  await writeFile(file, Buffer.concat([length, text, Buffer.alloc(dataBytes)]));
}

async function problemOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  return (error as InputError).message;
}

describe('a safetensors file', () => {
  it('gives back the tensors that were written, in their order', async () => {
    await writeSafetensors(file, [first, second]);
    const opened = await openSafetensors(file);
    expect([...opened.tensors.keys()]).toEqual(['first', 'second']);
    expect(opened.tensors.get('first')).toMatchObject({ dtype: 'F32', shape: [2, 3], byteLength: 24 });
    expect(opened.metadata).toEqual({ format: 'pt' });
    expect(await opened.read('first')).toEqual(first.data);
    expect(await opened.read('second')).toEqual(second.data);
    await opened.close();
  });

  it('is the same, byte for byte, when written twice, and its data starts at a multiple of 8', async () => {
    await writeSafetensors(file, [first, second]);
    const once = await readFile(file);
    await writeSafetensors(file, [first, second]);
    expect(await readFile(file)).toEqual(once);
    expect(once.readBigUInt64LE() % 8n).toBe(0n);
    expect(await readdir(directory)).toEqual(['model.safetensors']);
  });

  it.each([
    ['F16', [1, -2, 3.5, 0.0999755859375, 0, Number.POSITIVE_INFINITY]],
    ['BF16', [1, -2, 3.5, 0.10009765625, 1.0011717677116394e-8, 70144]],
  ] as const)('rounds to %s on writing and widens on reading', async (dtype, expected) => {
    await writeSafetensors(file, [first], { dtype });
    const opened = await openSafetensors(file);
    expect(opened.tensors.get('first')?.dtype).toBe(dtype);
    expect(await opened.read('first')).toEqual(Float32Array.from(expected));
    await opened.close();
  });

  it('reads whole numbers as numbers', async () => {
    await writeRaw({ ids: { dtype: 'I64', shape: [2], data_offsets: [0, 16] } }, 0);
    await writeFile(file, Buffer.from(BigInt64Array.of(5n, -1n).buffer), { flag: 'a' });
    const opened = await openSafetensors(file);
    expect([...(await opened.read('ids'))]).toEqual([5, -1]);
    await opened.close();
  });

  it('takes the data of a tensor only when its turn comes', async () => {
    const asked: string[] = [];
    const lazy = [first, second].map((tensor) => ({
      ...tensor,
      data: async () => {
        asked.push(tensor.name);
        return tensor.data;
      },
    }));
    await writeSafetensors(file, lazy);
    expect(asked).toEqual(['first', 'second']);
    const opened = await openSafetensors(file);
    expect(await opened.read('second')).toEqual(second.data);
    await opened.close();
  });

  it('widens six million values in seconds', async () => {
    await writeSafetensors(file, [{ name: 'large', shape: [6_000_000], data: new Float32Array(6_000_000).fill(0.5) }], {
      dtype: 'F16',
    });
    const opened = await openSafetensors(file);
    const started = performance.now();
    const values = await opened.read('large');
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(values.at(-1)).toBe(0.5);
    await opened.close();
  });
});

describe('writing that fails', () => {
  it('leaves the file that was there, and nothing half-written', async () => {
    await writeSafetensors(file, [second]);
    const before = await readFile(file);
    const failing = { ...first, data: () => Promise.reject(new Error('no space left')) };
    await expect(writeSafetensors(file, [second, failing])).rejects.toThrow('no space left');
    expect(await readFile(file)).toEqual(before);
    expect(await readdir(directory)).toEqual(['model.safetensors']);
  });

  it('refuses values that do not fill the shape, and two tensors of one name', async () => {
    await expect(writeSafetensors(file, [{ ...first, shape: [7] }])).rejects.toThrow('first has 6 values');
    await expect(writeSafetensors(file, [first, first])).rejects.toThrow('two tensors are called first');
  });
});

describe('a damaged safetensors file', () => {
  it('names the tensor that is cut short and the bytes that are missing', async () => {
    await writeSafetensors(file, [first, second]);
    const { length } = await readFile(file);
    await truncate(file, length - 6);
    const problem = await problemOf(openSafetensors(file));
    expect(problem).toContain("model.safetensors: first: the file is cut short: 2 of the tensor's 24 bytes");
    expect(problem).toContain('6 bytes in all');
  });

  it('reports a file that is missing, empty, or truncated in the header', async () => {
    expect(await problemOf(openSafetensors(file))).toContain("can't be opened (ENOENT)");
    await writeFile(file, '');
    expect(await problemOf(openSafetensors(file))).toContain('it has 0 bytes, no header');
    await writeSafetensors(file, [first]);
    await truncate(file, 40);
    expect(await problemOf(openSafetensors(file))).toMatch(/\d+ bytes of the header are missing/);
  });

  it('reports a file of another format', async () => {
    await writeFile(file, 'PK\x03\x04 this is a zip archive, not tensors');
    expect(await problemOf(openSafetensors(file))).toContain('not a safetensors file');
    await writeRaw('[1, 2]', 0);
    expect(await problemOf(openSafetensors(file))).toContain('the header is not a JSON object');
  });

  const tensor = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
  it.each([
    [
      'bytes that do not fit the shape',
      { a: { ...tensor, shape: [3] } },
      8,
      'a: the header gives it 8 bytes, but F32 [3] takes 12',
    ],
    ['a gap', { a: tensor, b: { ...tensor, data_offsets: [12, 20] } }, 20, 'b: its bytes start at 12'],
    ['an overlap', { a: tensor, b: { ...tensor, data_offsets: [4, 12] } }, 12, 'b: its bytes start at 4'],
    ['bytes left over', { a: tensor }, 10, '2 bytes follow the last tensor'],
    ['an unknown number format', { a: { ...tensor, dtype: 'F8_E4M3' } }, 8, 'a: dtype'],
    ['a negative size', { a: { ...tensor, shape: [-2] } }, 8, 'a: shape[0]'],
    ['an unknown field', { a: { ...tensor, device: 'cuda' } }, 8, 'a: '],
    ['metadata that is no table', { __metadata__: { format: 1 }, a: tensor }, 8, '__metadata__'],
  ])('names the tensor with %s', async (_, header, dataBytes, expected) => {
    await writeRaw(header, dataBytes);
    expect(await problemOf(openSafetensors(file))).toContain(expected);
  });

  it('names the requested tensor that is not there', async () => {
    await writeSafetensors(file, [first]);
    const opened = await openSafetensors(file);
    await expect(opened.read('third')).rejects.toThrow('third: the file has no such tensor');
    await opened.close();
  });
});
