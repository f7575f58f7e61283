/** What Python's functions on texts do, as far as official scoring code uses them and JavaScript's differ. */

/** Python's white space, which has the separators U+001C to U+001F and no byte order mark; for a regular expression. */
export const whiteSpace = String.raw`[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]`;

const spaces = new RegExp(`${whiteSpace}+`, 'u');
const outerSpaces = new RegExp(`^${whiteSpace}+|${whiteSpace}+$`, 'gu');

/** `text.split()` */
export function splitWords(text: string): string[] {
  return text.split(spaces).filter(Boolean);
}

/** `text.strip()` */
export function strip(text: string): string {
  return text.replace(outerSpaces, '');
}

const floatPattern = /^[+-]?(?:(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?)$/i;
const namedFloat = /^([+-]?)(inf|infinity|nan)$/i;

/** `float(text)`; undefined where Python raises a ValueError. Of digits only the ASCII ones count. */
export function parseFloatAsPython(text: string): number | undefined {
  const stripped = strip(text);
  const [, sign, name] = namedFloat.exec(stripped) ?? [];
  if (name !== undefined) {
    if (name.toLowerCase() === 'nan') return Number.NaN;
    return sign === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  return floatPattern.test(stripped) ? Number(stripped.replaceAll('_', '')) : undefined;
}
