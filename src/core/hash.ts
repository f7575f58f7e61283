import { createHash, hash } from 'node:crypto';
import { openWithoutWaiting, piecesOfOpen } from './regular-file.ts';

/** SHA-256 of bytes or of a text's UTF-8, in hexadecimal. */
export function hashBytes(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex');
}

/**
 * SHA-256 of a file's content, in hexadecimal. The file is read in pieces, so it may be larger than memory.
 *
 * @throws the system's error; InputError for what is no regular file
 */
export async function hashFile(file: string): Promise<string> {
  const sum = createHash('sha256');
  const handle = await openWithoutWaiting(file);
  try {
    for await (const piece of piecesOfOpen(handle)) sum.update(piece);
  } finally {
    await handle.close();
  }
  return sum.digest('hex');
}

/**
 * SHA-256 of a JSON value, in hexadecimal. The order of an object's keys does not matter, and a key whose
 * value is undefined counts as absent.
 *
 * @throws TypeError for what JSON can't represent, such as NaN or a function
 */
export function hashValue(value: unknown): string {
  return hashBytes(canonicalJson(value));
}

function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`);
    return `{${entries.join(',')}}`;
  }
  throw new TypeError(`${String(value)} can't be hashed: it is not a JSON value`);
}
