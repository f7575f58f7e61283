/**
 * Text that must stay text although it spells a special token: a question about the tag `<image>` shows no second image, and
 * an answer with `</s>` in it does not end there.
 *
 * Where special tokens are looked for in a text is no choice of a tokenizer's caller. So a character that no text has is
 * written into each such mark, which is then no token, and the tokenizer takes it out again where it finds no tokens any more.
 * All other text has the ids that it has without this. src/trainer/torch/plain_text.py does the same.
 */

/** A noncharacter of Unicode, for uses inside of a program: the tokenizer's normalizer takes it out. */
export const BREAK = '\uFDD0';

/**
 * Another one, which stays until words are cut out of the text: for tokens that are found behind the normalizer, or by the
 * model of the tokenizer. The text is cut at it.
 */
export const CUT = '\uFDD1';

/** The text, in which the mark is no special token for a tokenizer that `loadTokenizer` opened. */
export function asPlainText(text: string, mark: string): string {
  return text.replaceAll(mark, () => `${[...mark][0] ?? ''}${BREAK}${[...mark].slice(1).join('')}`);
}

/** The marks of a tokenizer. */
export interface Marks {
  /** Found in the text as it is. */
  early: readonly string[];
  /** Found in what the normalizer makes of it, or by the model. */
  late: readonly string[];
  /** The tokenizer's normalizer. */
  normalize(text: string): string;
}

/** Makes the function that writes breaks into all marks of a text, and takes out those that came with it. */
export function plainTextWith({ early, late, normalize }: Marks): (text: string) => string {
  const pattern = new RegExp(`(?=(${anyOf(late)})|${anyOf(early)})(.)`, 'gsu');
  const normalized = [...new Set(late.flatMap((mark) => [mark, normalize(mark)]))].filter(
    (mark) => [...mark].length > 1,
  );
  return (text) => {
    const own = text.replaceAll(BREAK, '').replaceAll(CUT, '');
    const broken = own.replaceAll(pattern, (_, isLate: string | undefined, first: string) => {
      return `${first}${isLate === undefined ? BREAK : CUT}`;
    });
    // What the normalizer makes of full-width letters or capitals may be a mark too.
    const found = normalized.length > 0 && normalize(broken);
    return found && normalized.some((mark) => found.includes(mark)) ? [...own].join(CUT) : broken;
  };
}

/** Matches any of the texts; of none, nothing. */
function anyOf(texts: readonly string[]): string {
  if (texts.length === 0) return '(?!)';
  return `(?:${texts.map((text) => text.replaceAll(/[$()*+./?[\\\]^{|}]/g, '\\$&')).join('|')})`;
}

/**
 * Whether a token that was added to a tokenizer's vocabulary is a mark, which no text has, and not a frequent word or a run of
 * spaces: special ones, and others that look like one, such as `<loc0001>` or `<tool_call>`. One of a single character has no
 * inside to write a break into.
 */
export function isMark({ content, special }: { content: string; special: boolean }): boolean {
  return [...content].length > 1 && (special || /^(?:<\S*[\p{L}\p{N}]\S*>|\[\S*[\p{L}\p{N}]\S*\])$/u.test(content));
}
