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

const escaped: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '0': '\0',
};
/** Marks of a list, a text in quotes, or anything else up to the next mark, such as a number. */
const literal = /\s*(?:([[\],])|'([^'\\]*(?:\\.[^'\\]*)*)'|"([^"\\]*(?:\\.[^"\\]*)*)"|([^\s[\],'"]+))/sy;

/**
 * A list of texts and numbers as Python writes it, each item as a text, such as `['a', "it's", 3]`; undefined for what is no
 * such list, a list in a list among it.
 */
export function readPythonList(text: string): string[] | undefined {
  const items: string[] = [];
  let isOpen = false;
  let expectsItem = true;
  literal.lastIndex = 0;
  while (literal.lastIndex < text.trimEnd().length) {
    const [, mark, single, double, bare] = literal.exec(text) ?? [];
    if (mark === '[') {
      if (isOpen || items.length > 0) return undefined;
      isOpen = true;
    } else if (mark === ']') {
      return isOpen && text.slice(literal.lastIndex).trim() === '' ? items : undefined;
    } else if (mark === ',') {
      if (!isOpen || expectsItem) return undefined;
      expectsItem = true;
    } else {
      const quoted = single ?? double;
      if (!isOpen || !expectsItem || (quoted === undefined && !isPlain(bare))) return undefined;
      items.push(quoted === undefined ? (bare as string) : unescaped(quoted));
      expectsItem = false;
    }
  }
  return undefined;
}

function isPlain(bare: string | undefined): boolean {
  return bare !== undefined && (parseFloatAsPython(bare) !== undefined || ['None', 'True', 'False'].includes(bare));
}

function unescaped(quoted: string): string {
  return quoted.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(\n)|(.))/gsu,
    (whole, two?: string, four?: string, eight?: string, lineBreak?: string, other?: string) => {
      const code = Number.parseInt(two ?? four ?? eight ?? '', 16);
      if (!Number.isNaN(code)) return code > 0x10ffff ? whole : String.fromCodePoint(code);
      if (lineBreak !== undefined) return '';
      if (other === undefined || /[\\'"]/.test(other)) return other ?? '';
      return escaped[other] ?? whole;
    },
  );
}
