/**
 * Whether SentencePiece's table of replacements, `precompiled_charsmap` of a normalizer, can be searched for every text. It is
 * a double array as `darts-clone` writes it and the library reads it, which ends the process where an index leads outside.
 *
 * @param base64 the size of the array in bytes, its units of 32 bits, then the replacements, each up to a zero
 */
export function isSoundCharsmap(base64: string): boolean {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64 || bytes.length < 8) return false;
  const trieBytes = bytes.readUInt32LE();
  if (trieBytes < 4 || trieBytes > bytes.length - 4) return false;
  const units = Uint32Array.from({ length: trieBytes >>> 2 }, (_, index) => bytes.readUInt32LE(4 + 4 * index));
  const replacements = bytes.subarray(4 + 4 * units.length);
  return isText(replacements) && leadsInside(units, replacements);
}

function isText(bytes: Buffer): boolean {
  return bytes.equals(Buffer.from(bytes.toString('utf8')));
}

/** Follows every way through the array from its root. */
function leadsInside(units: Uint32Array, replacements: Buffer): boolean {
  const root = offsetOf(units[0] as number);
  const seen = new Set([root]);
  const waiting = [root];
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    for (let byte = 1; byte < 256; byte += 1) {
      const unit = units[place ^ byte];
      if (unit === undefined) return false;
      if ((unit & 0x800000ff) >>> 0 !== byte) continue;
      const next = place ^ byte ^ offsetOf(unit);
      if ((unit & 0x100) !== 0 && !isReplacement((units[next] ?? 0xffffffff) & 0x7fffffff, replacements)) return false;
      if (!seen.has(next)) waiting.push(next);
      seen.add(next);
    }
  }
  return true;
}

/** A unit's offset: 22 bits, in steps of 256 where its tenth bit is set. */
function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

/** Whether a replacement may begin there: not in the middle of a character. */
function isReplacement(place: number, replacements: Buffer): boolean {
  return place <= replacements.length && ((replacements[place] ?? 0) & 0xc0) !== 0x80;
}
