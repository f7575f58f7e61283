/** Comparisons of a short answer with one reference. */
import { parseFloatAsPython, splitWords, strip } from '../python-text.ts';
import { withoutPunctuation } from './vqa-answers.ts';

/**
 * Normalized Levenshtein similarity, 0 to 1, of which ANLS is the mean (arXiv 1907.00490): 0 below 0.5. Case and runs of
 * blanks don't count in the distance, but in the length that it is divided by, as in lmms-eval and VLMEvalKit.
 */
export function levenshteinSimilarity(answer: string, reference: string): number {
  const form = (text: string) => splitWords(text.toLowerCase()).join(' ');
  const length = Math.max(lengthOf(answer.toUpperCase()), lengthOf(reference.toUpperCase()));
  const similarity = length === 0 ? 1 : 1 - levenshteinDistance(form(answer), form(reference)) / length;
  return similarity < 0.5 ? 0 : similarity;
}

/** Insertions, deletions and substitutions of code points. Time: product of the lengths; memory: the reference's length. */
function levenshteinDistance(one: string, other: string): number {
  const characters = [...other];
  let row = Array.from({ length: characters.length + 1 }, (_, index) => index);
  let rowNumber = 0;
  for (const character of one) {
    rowNumber += 1;
    const next = [rowNumber];
    for (const [index, otherCharacter] of characters.entries()) {
      const substituted = at(row, index) + (character === otherCharacter ? 0 : 1);
      next.push(Math.min(substituted, at(row, index + 1) + 1, at(next, index) + 1));
    }
    row = next;
  }
  return at(row, characters.length);
}

/**
 * ChartQA's relaxed correctness (arXiv 2203.10244, section 5.1): a number may differ by a share of the reference, `12%` is
 * 0.12, and anything else has to be the same text. With the reference 0 the texts have to be the same too.
 */
export function isRelaxedCorrect(answer: string, reference: string, tolerance: number): boolean {
  const given = strip(answer);
  const [number, expected] = [numberOf(given), numberOf(reference)];
  if (number === undefined || expected === undefined || expected === 0) {
    return given.toLowerCase() === reference.toLowerCase();
  }
  return Math.abs(number - expected) / Math.abs(expected) <= tolerance;
}

function numberOf(text: string): number | undefined {
  if (!text.endsWith('%')) return parseFloatAsPython(text);
  const share = parseFloatAsPython(text.replace(/%+$/, ''));
  return share === undefined ? undefined : share / 100;
}

/** `yes` or `no` where an answer has just one of the two words, as VLMEvalKit reads POPE's, MME's and HallusionBench's. */
export function readYesOrNo(answer: string): 'yes' | 'no' | undefined {
  const words = splitWords(withoutPunctuation(answer.toLowerCase(), /(?<!\d)\.(?!\d)/g));
  const [yes, no] = [words.includes('yes'), words.includes('no')];
  if (yes === no) return undefined;
  return yes ? 'yes' : 'no';
}

/**
 * The items of a list, such as `red, green` or `["red", "green"]`, in small letters, each once; `None` and nothing are the
 * empty list. As MEGA-Bench's `StringSetEqualityCommaSplit` reads them, but for a text in quotation marks alone, which is a
 * list of one item here and of its letters there. Numbers are the same item if they are equal: `1.0` is `1`.
 */
export function listItems(text: string): Set<string> {
  const trimmed = strip(text);
  const isClosed = ['()', '[]', '{}'].some(([open, close]) => trimmed[0] === open && trimmed.endsWith(close as string));
  if (!isClosed && /^[([{]/.test(trimmed)) return new Set();
  const inner = isClosed ? strip(trimmed.slice(1, -1)) : trimmed;
  if (inner === '' || inner === 'None') return new Set();
  const items = inner.split(',').map(strip);
  // A comma after the last item, as Python writes a list of one.
  const literals = (items.at(-1) === '' ? items.slice(0, -1) : items).map(literalText);
  const asText = (items: readonly (string | undefined)[]): items is string[] => !items.includes(undefined);
  return new Set((asText(literals) ? literals : items).map((item) => item.toLowerCase()));
}

/** What Python reads as a number or as a text in quotation marks; undefined for anything else. */
function literalText(item: string): string | undefined {
  const quoted = /^(['"])((?:(?!\1)[^\\])*)\1$/.exec(item)?.[2];
  if (quoted !== undefined) return quoted;
  const number = /^[+-]?(?:0+|[1-9]\d*|\d+\.\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(item) ? Number(item) : Number.NaN;
  // A mark before it: the number 1 and the text "1" are two items.
  return Number.isNaN(number) ? undefined : `\u0000${number === 0 ? 0 : number}`;
}

export function haveSameItems(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((item) => other.has(item));
}

/** In code points, as Python counts. */
function lengthOf(text: string): number {
  return [...text].length;
}

function at(values: readonly number[], index: number): number {
  return values[index] as number;
}
