import path from 'node:path';
import {
  AddedToken,
  Tokenizer as HuggingFaceTokenizer,
  replace,
  sequenceNormalizer,
  sequencePreTokenizer,
  splitPreTokenizer,
} from 'tokenizers';
import { z } from 'zod';
import { InputError } from '../../core/input-error.ts';
import { readJson, requireShape } from '../../core/read-json.ts';
import { BREAK, CUT, isMark, type Marks, plainTextWith } from './plain-text.ts';
import { readTokenizerConfig, type TokenizerConfig, type TokenizerJson, tokenizerSchema } from './tokenizer-config.ts';
import { requireUsableParts } from './tokenizer-parts.ts';

/** The largest vocabularies of published models take 35 MB. */
const mostBytesOfTokenizer = 128 * 1024 * 1024;

/** Text to token ids and back. */
export interface Tokenizer {
  /**
   * Token ids of a text. Special tokens written in the text count as such; none are added. Texts encoded at the
   * same time run in threads: encode a whole dataset with `Promise.all`.
   */
  encode(text: string): Promise<number[]>;
  /** Token ids of a whole text, with the special tokens that the tokenizer puts around one, such as a begin token. */
  encodeWhole(text: string): Promise<number[]>;
  /**
   * A text that is data, such as a question, for a place in a text to be encoded: no special token that it spells counts as
   * one there. Texts without such marks stay as they are.
   */
  plainText(text: string): string;
  /** The text of token ids, special tokens written out. */
  decode(ids: readonly number[]): string;
  /** The id of a token, such as `<ImageHere>`. */
  tokenId(token: string): number | undefined;
  /** One more than the highest id. */
  vocabularySize: number;
  /** Id of the token that begins a text: the one that the tokenizer's files name, or put before a whole text. */
  beginToken?: number | undefined;
  /** Whether the tokenizer's files name the begin token. */
  namesBegin?: boolean;
  /** Ids of the tokens that end a text and fill a batch, where the tokenizer's files name them. */
  endToken?: number | undefined;
  padToken?: number | undefined;
}

/**
 * Loads `tokenizer.json` of a model directory, and what the files beside it add to it. Ids are those of Python's
 * `tokenizers`, of which this is the same code.
 *
 * @throws InputError naming the file that is missing or isn't a tokenizer, or the field that is not supported.
 * @example
 * const tokenizer = await loadTokenizer('data/stage1');
 * await tokenizer.encode('a red bus');
 */
export async function loadTokenizer(modelDirectory: string): Promise<Tokenizer> {
  const file = path.join(modelDirectory, 'tokenizer.json');
  const parsed = await readJson(file, z.unknown(), { mostBytes: mostBytesOfTokenizer });
  const content = requireShape(parsed, file, tokenizerSchema);
  requireUsableParts(file, parsed);
  const config = await readTokenizerConfig(modelDirectory, content);
  const tokenizer = open(file, parsed, config);
  const encode = (text: string, addSpecialTokens: boolean) => idsOf(tokenizer, text, addSpecialTokens);
  const plainText = plainTextWith(await marksOf(tokenizer, content, config));
  const decode = decoderOf(tokenizer);
  const tokenId = (token: string | undefined) =>
    token === undefined ? undefined : (tokenizer.tokenToId(token) ?? undefined);
  return {
    encode: (text) => encode(text, false),
    encodeWhole: (text) => encode(text, true),
    plainText,
    decode: config.cleansUp ? (ids) => withoutSpacesBeforePunctuation(decode(ids)) : decode,
    tokenId,
    vocabularySize: Object.values(tokenizer.getVocab()).reduce((highest, id) => Math.max(highest, id), -1) + 1,
    beginToken: tokenId(config.begin) ?? firstOf(await encode('a', true), await encode('a', false)),
    namesBegin: tokenId(config.begin) !== undefined,
    endToken: tokenId(config.end),
    padToken: tokenId(config.pad),
  };
}

/** The first id of a whole text that is not one of the text. */
function firstOf([whole]: readonly number[], [text]: readonly number[]): number | undefined {
  return whole === text ? undefined : whole;
}

function open(file: string, parsed: unknown, { added }: TokenizerConfig): HuggingFaceTokenizer {
  try {
    // What was checked, not the file: of a key that is there twice, each reader takes its own.
    const tokenizer = HuggingFaceTokenizer.fromString(JSON.stringify(parsed));
    // The caller limits lengths and a batch pads: the ids of a text don't depend on either.
    tokenizer.disableTruncation();
    tokenizer.disablePadding();
    tokenizer.addAddedTokens(
      added.map(({ content, special, single_word: singleWord, lstrip: leftStrip, rstrip: rightStrip, normalized }) => {
        return new AddedToken(content, special, { singleWord, leftStrip, rightStrip, normalized });
      }),
    );
    removeBreaks(tokenizer);
    return tokenizer;
  } catch (cause) {
    const problem = `can't be used as a tokenizer: ${(cause as Error).message}`;
    throw new InputError({ file, problem, remedy: 'Download the file again, or use a model of a known kind' });
  }
}

/** Has a tokenizer take out what `asPlainText` puts into a text. All other ids stay. */
function removeBreaks(tokenizer: HuggingFaceTokenizer): void {
  const removal = replace(BREAK, '');
  const normalizer = tokenizer.getNormalizer();
  tokenizer.setNormalizer(normalizer ? sequenceNormalizer([removal, normalizer]) : removal);
}

async function idsOf(tokenizer: HuggingFaceTokenizer, text: string, addSpecialTokens = false): Promise<number[]> {
  return (await tokenizer.encode(text, null, { addSpecialTokens })).getIds();
}

/** The marks of a tokenizer; it is made to cut texts at what `plainTextWith` writes into the late ones. */
async function marksOf(
  tokenizer: HuggingFaceTokenizer,
  content: TokenizerJson,
  { added }: TokenizerConfig,
): Promise<Marks> {
  const tokens = new Map([...content.added_tokens, ...added].map((token) => [token.content, token]));
  const marks = [...tokens.values()].filter(isMark);
  const normalizer = tokenizer.getNormalizer();
  const normalize = (text: string) => normalizer?.normalizeString(text) ?? text;
  const contents = (normalized: boolean) =>
    marks.filter((token) => token.normalized === normalized).map((token) => token.content);
  const found = await foundByModel(tokenizer, contents(false));
  const late = [...contents(true), ...found];
  if (late.length > 0) cutAtBreaks(tokenizer, content);
  return { early: contents(false).filter((mark) => !found.has(mark)), late, normalize };
}

/** Those marks that are tokens although they are broken: they are pieces of the model's vocabulary too. */
async function foundByModel(tokenizer: HuggingFaceTokenizer, marks: readonly string[]): Promise<Set<string>> {
  const plainText = plainTextWith({ early: marks, late: [], normalize: (text) => text });
  const idOf = (mark: string) => tokenizer.tokenToId(mark) ?? -1;
  const all = new Set(await idsOf(tokenizer, marks.map(plainText).join(' ')));
  const suspects = marks.filter((mark) => all.has(idOf(mark)));
  const found = await Promise.all(
    suspects.map(async (mark) => (await idsOf(tokenizer, `a ${plainText(mark)}`)).includes(idOf(mark))),
  );
  return new Set(suspects.filter((_, index) => found[index]));
}

function cutAtBreaks(tokenizer: HuggingFaceTokenizer, { pre_tokenizer: content }: TokenizerJson): void {
  const cut = splitPreTokenizer(CUT, 'removed');
  const words = tokenizer.getPreTokenizer();
  // Behind what writes bytes there is no such character; behind what puts a space before a text no second one is put.
  const isFirst = JSON.stringify(content ?? null).includes('"ByteLevel"');
  tokenizer.setPreTokenizer(words ? sequencePreTokenizer(isFirst ? [cut, words] : [words, cut]) : cut);
}

/** `Tokenizer.decode` of the library as its Rust code defines it; its own is asynchronous, and called for every token. */
function decoderOf(tokenizer: HuggingFaceTokenizer): Tokenizer['decode'] {
  const decoder = tokenizer.getDecoder();
  const known = new Map<number, string | null>();
  const tokenOf = (id: number) => {
    const token = known.get(id) ?? tokenizer.idToToken(id);
    known.set(id, token);
    return token;
  };
  return (ids) => {
    const tokens = ids.flatMap((id) => tokenOf(id) ?? []);
    return decoder ? decoder.decode(tokens) : tokens.join(' ');
  };
}

/** As `clean_up_tokenization` of transformers. */
function withoutSpacesBeforePunctuation(text: string): string {
  return text
    .replaceAll(/ ([.?!,])/g, '$1')
    .replaceAll(" ' ", "'")
    .replaceAll(/ (n't|'m|'s|'ve|'re)/g, '$1');
}
