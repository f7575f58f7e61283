import { hashBytes } from '../../src/core/hash.ts';

const ALPHABET = '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const LENGTH = 22;

/** An id that looks like A-OKVQA's (22 letters and digits without look-alikes) and depends on the key alone. */
export function questionId(key: string): string {
  let rest = BigInt(`0x${hashBytes(key)}`);
  let id = '';
  while (id.length < LENGTH) {
    id += ALPHABET[Number(rest % BigInt(ALPHABET.length))];
    rest /= BigInt(ALPHABET.length);
  }
  return id;
}
