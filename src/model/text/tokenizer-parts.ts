/**
 * What in a `tokenizer.json` would end the process instead of failing: the library is compiled code, and an error that it does
 * not expect can't be caught here. All of this was found by trying.
 */
import { fieldPath, InputError } from '../../core/input-error.ts';
import { problemOfPattern } from './pattern-cost.ts';
import { isSoundCharsmap } from './precompiled-charsmap.ts';

type Fields = Record<string, unknown>;

/** Each field that may be wrong, whatever part it is in → what is wrong with it. Parts need not name their type. */
const checks: Record<string, (value: unknown, part: Fields) => string | undefined> = {
  Regex: (value) => (typeof value === 'string' ? problemOfPattern(value, 1) : undefined),
  // Of the pre-tokenizer that cuts pieces of one length.
  length: (value) => (value === 0 ? 'must be at least 1' : undefined),
  // Of the decoder that strips: from the end of a token that is shorter, the library counts below zero.
  stop: (value, { start }) => (start !== undefined && value !== 0 ? 'is supported as 0 only' : undefined),
  single: (value, { special_tokens }) => problemOfTemplate(value, special_tokens),
  precompiled_charsmap: (value) =>
    typeof value === 'string' && !isSoundCharsmap(value) ? 'is damaged: it leads out of its own table' : undefined,
};

/**
 * @param content of the file
 * @throws InputError naming the field
 */
export function requireUsableParts(file: string, content: unknown): void {
  if (!isFields(content)) return;
  for (const key of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) visit(file, content[key], [key]);
  const problem = isFields(content.model) ? problemOfMerges(content.model) : undefined;
  if (problem !== undefined) throw refuse(file, ['model', 'merges'], problem);
}

function visit(file: string, part: unknown, place: readonly PropertyKey[]): void {
  if (typeof part !== 'object' || part === null) return;
  for (const [key, value] of Object.entries(part)) {
    const here = [...place, Array.isArray(part) ? Number(key) : key];
    const problem = Object.hasOwn(checks, key) ? checks[key]?.(value, part as Fields) : undefined;
    if (problem !== undefined) throw refuse(file, here, problem);
    visit(file, value, here);
  }
}

/** A template for one text, as the post-processor puts special tokens around it. */
function problemOfTemplate(template: unknown, specialTokens: unknown): string | undefined {
  if (!Array.isArray(template)) return undefined;
  const known = isFields(specialTokens) ? specialTokens : {};
  for (const piece of template) {
    const { SpecialToken: token, Sequence: sequence } = isFields(piece) ? piece : {};
    if (isFields(sequence) && sequence.id !== 'A') return 'names a second text, and there is one';
    if (isFields(token) && !Object.hasOwn(known, String(token.id))) return 'names a token that special_tokens lacks';
  }
  return undefined;
}

/** The library cuts the prefix off the second half of each merge. */
function problemOfMerges({ continuing_subword_prefix: prefix, merges }: Fields): string | undefined {
  if (typeof prefix !== 'string' || prefix === '' || !Array.isArray(merges)) return undefined;
  const second = (merge: unknown) => (Array.isArray(merge) ? merge[1] : String(merge).split(' ')[1]);
  const isWrong = merges.some((merge) => !String(second(merge) ?? '').startsWith(prefix));
  return isWrong ? 'have a second half without continuing_subword_prefix' : undefined;
}

function refuse(file: string, place: readonly PropertyKey[], problem: string): InputError {
  const remedy = 'Download the file again, or use a model of a known kind';
  return new InputError({ file, field: fieldPath(place), problem, remedy });
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
