import path from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { fileExists } from '../../core/files.ts';
import { InputError } from '../../core/input-error.ts';
import { readJson } from '../../core/read-json.ts';

/** Text to token ids and back. */
export interface Tokenizer {
  /** Token ids of a text. Special tokens written in the text count as such; none are added. */
  encode(text: string): number[];
  /** Token ids of a whole text, with the special tokens that the tokenizer puts around one, such as a begin token. */
  encodeWhole(text: string): number[];
  /** The text of token ids, special tokens written out. */
  decode(ids: readonly number[]): string;
  /** The id of a token, such as `<ImageHere>`. */
  tokenId(token: string): number | undefined;
  /** One more than the highest id. */
  vocabularySize: number;
}

const tokenizerSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.number().int(), content: z.string() })),
  model: z.looseObject({ type: z.string(), vocab: z.unknown() }),
});
const settingsSchema = z.looseObject({ clean_up_tokenization_spaces: z.boolean().nullish() });

/**
 * Loads `tokenizer.json` and, if there, `tokenizer_config.json` of a model directory.
 *
 * @throws InputError naming the file that is missing or isn't a tokenizer.
 * @example
 * const tokenizer = await loadTokenizer('data/stage1');
 * tokenizer.encode('a red bus');
 */
export async function loadTokenizer(modelDirectory: string): Promise<Tokenizer> {
  const file = path.join(modelDirectory, 'tokenizer.json');
  const content = await readJson(file, tokenizerSchema);
  const settings = await readSettings(path.join(modelDirectory, 'tokenizer_config.json'));
  const tokenizer = build(file, content, settings);
  const decoding = { clean_up_tokenization_spaces: settings.clean_up_tokenization_spaces ?? false };
  return {
    encode: (text) => (text === '' ? [] : tokenizer.encode(text, { add_special_tokens: false }).ids),
    encodeWhole: (text) => tokenizer.encode(text).ids,
    decode: (ids) => (ids.length === 0 ? '' : tokenizer.decode([...ids], decoding)),
    tokenId: (token) => tokenizer.token_to_id(token),
    vocabularySize: [...tokenizer.get_vocab().values()].reduce((highest, id) => Math.max(highest, id), -1) + 1,
  };
}

async function readSettings(file: string): Promise<z.output<typeof settingsSchema>> {
  return (await fileExists(file)) ? readJson(file, settingsSchema) : {};
}

function build(file: string, content: object, settings: object): HuggingFaceTokenizer {
  try {
    return new HuggingFaceTokenizer(content, settings);
  } catch (cause) {
    const problem = `can't be used as a tokenizer: ${(cause as Error).message}`;
    throw new InputError(
      { file, problem, remedy: 'Download the file again, or use a model of a known kind' },
      { cause },
    );
  }
}
