import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hashBytes, hashFile, hashValue } from '../../src/core/hash.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

describe('hashes', () => {
  it('are SHA-256 in hexadecimal', () => {
    // The standard's own example (FIPS 180-2, B.1).
    expect(hashBytes('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('are the same for a file, its text and its bytes', async () => {
    const file = join(await temporaryFolder(), 'text');
    await writeFile(file, 'grüße');
    expect(await hashFile(file)).toBe(hashBytes('grüße'));
    expect(hashBytes(Buffer.from('grüße'))).toBe(hashBytes('grüße'));
  });

  it('of values do not depend on the order of keys or on absent keys', () => {
    expect(hashValue({ a: 1, b: { c: [1, null], d: 'x' } })).toBe(
      hashValue({ b: { d: 'x', c: [1, null], e: undefined }, a: 1 }),
    );
  });

  it.each([
    [
      [1, 2],
      [2, 1],
    ],
    ['1', 1],
    [{}, []],
    [{ a: null }, {}],
  ])('of %j and %j differ', (left, right) => {
    expect(hashValue(left)).not.toBe(hashValue(right));
  });

  it("refuse values that JSON can't represent", () => {
    expect(() => hashValue({ loss: Number.NaN })).toThrow(TypeError);
  });
});
