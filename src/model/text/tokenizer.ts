import path from 'node:path';
import { Tokenizer as HuggingFaceTokenizer, replace, sequenceNormalizer } from 'tokenizers';
import { z } from 'zod';
import { fileExists } from '../../core/files.ts';
import { InputError } from '../../core/input-error.ts';
import { readJson } from '../../core/read-json.ts';
import { BREAK } from './plain-text.ts';

/** Text to token ids and back. */
export interface Tokenizer {
  /**
   * Token ids of a text. Special tokens written in the text count as such; none are added. Texts encoded at the
   * same time run in threads: encode a whole dataset with `Promise.all`.
   */
  encode(text: string): Promise<number[]>;
  /** Token ids of a whole text, with the special tokens that the tokenizer puts around one, such as a begin token. */
  encodeWhole(text: string): Promise<number[]>;
  /** The text of token ids, special tokens written out. */
  decode(ids: readonly number[]): string;
  /** The id of a token, such as `<ImageHere>`. */
  tokenId(token: string): number | undefined;
  /** One more than the highest id. */
  vocabularySize: number;
}

const tokenizerSchema = z.looseObject({ model: z.looseObject({ type: z.string() }) });
const settingsSchema = z.looseObject({
  clean_up_tokenization_spaces: z.boolean().nullish(),
  clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output: z.boolean().nullish(),
});

/**
 * Loads `tokenizer.json` and, if there, `tokenizer_config.json` of a model directory.
 *
 * @throws InputError naming the file that is missing or isn't a tokenizer.
 * @example
 * const tokenizer = await loadTokenizer('data/stage1');
 * await tokenizer.encode('a red bus');
 */
export async function loadTokenizer(modelDirectory: string): Promise<Tokenizer> {
  const file = path.join(modelDirectory, 'tokenizer.json');
  const { model } = await readJson(file, tokenizerSchema);
  const settings = await readSettings(path.join(modelDirectory, 'tokenizer_config.json'));
  const tokenizer = open(file);
  const encode = async (text: string, addSpecialTokens: boolean) =>
    (await tokenizer.encode(text, null, { addSpecialTokens })).getIds();
  const decode = decoderOf(tokenizer);
  return {
    encode: (text) => encode(text, false),
    encodeWhole: (text) => encode(text, true),
    decode: cleansUp(model.type, settings) ? (ids) => withoutSpacesBeforePunctuation(decode(ids)) : decode,
    tokenId: (token) => tokenizer.tokenToId(token) ?? undefined,
    vocabularySize: Object.values(tokenizer.getVocab()).reduce((highest, id) => Math.max(highest, id), -1) + 1,
  };
}

async function readSettings(file: string): Promise<z.output<typeof settingsSchema>> {
  return (await fileExists(file)) ? readJson(file, settingsSchema) : {};
}

function open(file: string): HuggingFaceTokenizer {
  try {
    const tokenizer = HuggingFaceTokenizer.fromFile(file);
    // The caller limits lengths and a batch pads: the ids of a text don't depend on either.
    tokenizer.disableTruncation();
    tokenizer.disablePadding();
    removeBreaks(tokenizer);
    return tokenizer;
  } catch (cause) {
    const problem = `can't be used as a tokenizer: ${(cause as Error).message}`;
    throw new InputError(
      { file, problem, remedy: 'Download the file again, or use a model of a known kind' },
      { cause },
    );
  }
}

/** Has a tokenizer take out what `asPlainText` puts into a text. All other ids stay. */
function removeBreaks(tokenizer: HuggingFaceTokenizer): void {
  const removal = replace(BREAK, '');
  const normalizer = tokenizer.getNormalizer();
  tokenizer.setNormalizer(normalizer ? sequenceNormalizer([removal, normalizer]) : removal);
}

/** `Tokenizer.decode` of the library as its Rust code defines it; its own is asynchronous, and called for every token. */
function decoderOf(tokenizer: HuggingFaceTokenizer): Tokenizer['decode'] {
  const decoder = tokenizer.getDecoder();
  return (ids) => {
    const tokens = ids.flatMap((id) => tokenizer.idToToken(id) ?? []);
    return decoder ? decoder.decode(tokens) : tokens.join(' ');
  };
}

/** As transformers decides it: not for BPE, where it would remove spaces that were there. */
function cleansUp(modelType: string, settings: z.output<typeof settingsSchema>): boolean {
  const forced = settings.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output ?? false;
  return (settings.clean_up_tokenization_spaces ?? false) && (modelType !== 'BPE' || forced);
}

/** As `clean_up_tokenization` of transformers. */
function withoutSpacesBeforePunctuation(text: string): string {
  return text
    .replaceAll(/ ([.?!,])/g, '$1')
    .replaceAll(" ' ", "'")
    .replaceAll(/ (n't|'m|'s|'ve|'re)/g, '$1');
}
