/**
 * What the files beside `tokenizer.json` add to it, as `PreTrainedTokenizerFast.from_pretrained` of transformers 5.23
 * reads them: `tokenizer_config.json`, and from older versions `special_tokens_map.json` and `added_tokens.json`.
 */
import path from 'node:path';
import { z } from 'zod';
import { fileExists } from '../../core/files.ts';
import { InputError } from '../../core/input-error.ts';
import { readSettings } from '../../core/read-json.ts';
import { checkFields, type KnownFields } from '../files/known-fields.ts';

/** A token that is found in a text before all else, and what is then cut off around it. */
export interface AddedToken {
  content: string;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
  normalized: boolean;
  special: boolean;
}

export interface TokenizerConfig {
  /** The tokens that begin a text, end one, and fill a batch; undefined where the files name none. */
  begin: string | undefined;
  end: string | undefined;
  pad: string | undefined;
  /** To be added to those of `tokenizer.json`, in this order; a token that is there already gets these flags. */
  added: AddedToken[];
  /** Spaces before punctuation are removed from decoded texts. */
  cleansUp: boolean;
}

const flag = z.boolean().default(false);
const tokenFields = z.looseObject({
  content: z.string(),
  single_word: flag,
  lstrip: flag,
  rstrip: flag,
  normalized: z.boolean().optional(),
  special: flag,
});
const tokenSchema = tokenFields.transform(
  ({ content, single_word, lstrip, rstrip, special, normalized = !special }): AddedToken => {
    return { content, single_word, lstrip, rstrip, special, normalized };
  },
);
const namedSchema = z.union([z.string(), tokenSchema]);
type Named = z.output<typeof namedSchema>;
const listSchema = z.array(namedSchema);
const dictionarySchema = z.record(z.string(), namedSchema);

/** What of `tokenizer.json` is looked at here; the library reads all of it, and refuses fields that it doesn't know. */
export const tokenizerSchema = z.looseObject({
  added_tokens: z.array(tokenSchema).default([]),
  model: z.looseObject({
    type: z.string(),
    dropout: z.literal(0, { error: 'gives a text other ids every time. Set it to null' }).nullish(),
  }),
});
export type TokenizerJson = z.output<typeof tokenizerSchema>;

const configSchema = z.looseObject({
  bos_token: namedSchema.nullish(),
  eos_token: namedSchema.nullish(),
  pad_token: namedSchema.nullish(),
  added_tokens_decoder: z.record(z.string().regex(/^\d+$/), tokenSchema).optional(),
  additional_special_tokens: listSchema.nullish(),
  extra_special_tokens: z.union([listSchema, dictionarySchema]).nullish(),
  model_specific_special_tokens: dictionarySchema.nullish(),
  clean_up_tokenization_spaces: z.boolean().nullish(),
  clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output: z.boolean().nullish(),
  split_special_tokens: z.literal(false, { error: 'true is not supported: special tokens in a text count' }).nullish(),
  auto_map: z
    .unknown()
    .refine((map) => !namesTokenizer(map), 'names a tokenizer in Python code of its own, which is not run')
    .optional(),
});
type Config = z.output<typeof configSchema>;

const standardTokens = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/** Every field of `tokenizer_config.json`. Any other `…_token` is a special token of the model's. */
export const tokenizerConfigFields: KnownFields = {
  read: [...standardTokens, ...Object.keys(configSchema.shape)],
  withoutEffect: {
    'A tokenizer never cuts or pads: the trainer does.': [
      ...[
        'model_max_length',
        'max_length',
        'max_len',
        'stride',
        'truncation',
        'truncation_side',
        'truncation_strategy',
      ],
      ...['padding', 'padding_side', 'pad_to_multiple_of', 'pad_token_type_id', 'tokenizer_truncation'],
      'tokenizer_padding',
    ],
    'tokenizer.json is the tokenizer: these say how to make one from other files.': [
      ...['tokenizer_class', 'legacy', 'from_slow', 'use_fast', 'sp_model_kwargs', 'add_prefix_space', 'vocab_type'],
      ...['vocab_file', 'merges_file', 'extra_ids'],
      ...[
        'do_lower_case',
        'do_basic_tokenize',
        'strip_accents',
        'tokenize_chinese_chars',
        'never_split',
        'trim_offsets',
      ],
      ...['errors', 'byte_fallback', 'remove_space', 'keep_accents', 'fix_mistral_regex', 'split_by_punct'],
    ],
    'transformers ignores them where there is a tokenizer.json; a prompt begins with the begin token in any case.': [
      ...['add_bos_token', 'add_eos_token', 'spaces_between_special_tokens'],
    ],
    "A prompt has the words of the model's family.": [
      ...['chat_template', 'default_chat_template', 'response_template', 'response_schema', 'chat_control_tokens'],
      'use_default_system_prompt',
    ],
    'Ids follow from tokens.': [
      ...[
        'bos_token_id',
        'eos_token_id',
        'unk_token_id',
        'pad_token_id',
        'sep_token_id',
        'cls_token_id',
        'mask_token_id',
      ],
      ...['image_token_id', 'video_token_id', 'unk_id', 'image_token_index'],
    ],
    'Of inputs that no model here has.': ['model_input_names', 'return_token_type_ids'],
    'Where the files come from, and which program reads them.': [
      ...[
        'name_or_path',
        'tokenizer_file',
        'special_tokens_map_file',
        'added_tokens_file',
        'processor_class',
        'backend',
      ],
      ...[
        'is_local',
        'local_files_only',
        'files_loaded',
        'init_inputs',
        'verbose',
        'device_map',
        'transformers_version',
      ],
      ...['trust_remote_code', '_commit_hash', 'tokenizer_type'],
    ],
  },
};

/**
 * @param tokenizer the content of the directory's `tokenizer.json`
 * @throws InputError naming the file and the field that is not known or not supported
 */
export async function readTokenizerConfig(directory: string, tokenizer: TokenizerJson): Promise<TokenizerConfig> {
  const file = path.join(directory, 'tokenizer_config.json');
  const own = await readIfThere(file, configSchema);
  checkFields(file, withoutOwnTokens(own), tokenizerConfigFields);
  // Where the config lists all added tokens, the older files say nothing.
  const older = own.added_tokens_decoder ? undefined : await readOlderFiles(directory);
  const config: Config = { ...own, ...older?.map };
  const decoder = Object.entries(own.added_tokens_decoder ?? {})
    .sort(([one], [other]) => Number(one) - Number(other))
    .map(([, token]) => token);

  const named = standardTokens.flatMap((field) => parsedToken(file, field, config[field]) ?? []);
  const extras = [
    ...Object.entries(config).flatMap(([field, value]) => (isOwnToken(field, value) ? [value] : [])),
    ...listed(config.model_specific_special_tokens),
    ...listed(config.extra_special_tokens ?? config.additional_special_tokens),
  ];
  const isSpecial = new Set([...named, ...extras].map(contentOf));
  const legacy = (older?.added ?? []).map((content) =>
    asToken(content, { special: isSpecial.has(content), normalized: !isSpecial.has(content) }),
  );
  const known = own.added_tokens_decoder ? decoder : [...tokenizer.added_tokens, ...legacy];
  const flagged = (token: Named) => known.find(({ content }) => content === contentOf(token)) ?? token;
  const forced = config.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output ?? false;
  return {
    begin: config.bos_token ? contentOf(config.bos_token) : undefined,
    end: config.eos_token ? contentOf(config.eos_token) : undefined,
    pad: config.pad_token ? contentOf(config.pad_token) : undefined,
    added: [
      ...decoder,
      ...legacy.filter(({ content }) => tokenizer.added_tokens.every((token) => token.content !== content)),
      ...named.map((token) => ({ ...asToken(flagged(token)), special: true })),
      ...extras.map((token) => ({ ...asToken(token), special: true })),
    ],
    // Not for BPE, where it would remove spaces that were there.
    cleansUp: (config.clean_up_tokenization_spaces ?? false) && (tokenizer.model.type !== 'BPE' || forced),
  };
}

async function readIfThere<S extends z.ZodType>(file: string, schema: S): Promise<z.output<S>> {
  return (await fileExists(file)) ? readSettings(file, schema) : schema.parse({});
}

const mapSchema = z.looseObject({
  ...configSchema.pick({ bos_token: true, eos_token: true, pad_token: true }).shape,
  ...configSchema.pick({ additional_special_tokens: true, extra_special_tokens: true }).shape,
});

async function readOlderFiles(directory: string): Promise<{ map: z.output<typeof mapSchema>; added: string[] }> {
  const file = path.join(directory, 'special_tokens_map.json');
  const map = await readIfThere(file, mapSchema);
  checkFields(file, withoutOwnTokens(map), {
    read: [...standardTokens, 'additional_special_tokens', 'extra_special_tokens'],
    withoutEffect: {},
  });
  const added = await readIfThere(path.join(directory, 'added_tokens.json'), z.record(z.string(), z.number().int()));
  return { map, added: Object.keys(added) };
}

/** A special token that only this model has, such as `image_token`. */
function isOwnToken(field: string, value: unknown): value is string {
  return (
    field.endsWith('_token') &&
    !standardTokens.includes(field) &&
    !field.startsWith('add_') &&
    typeof value === 'string'
  );
}

function withoutOwnTokens(content: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(content).filter(([field, value]) => !isOwnToken(field, value)));
}

function parsedToken(file: string, field: string, value: unknown): Named | undefined {
  if (value === undefined || value === null) return undefined;
  const result = namedSchema.safeParse(value);
  if (result.success) return result.data;
  throw new InputError({ file, field, problem: 'is not a token', remedy: 'Write the token, or null' });
}

function listed(tokens: Named[] | Record<string, Named> | null | undefined): Named[] {
  return Array.isArray(tokens) ? tokens : Object.values(tokens ?? {});
}

function contentOf(token: Named): string {
  return typeof token === 'string' ? token : token.content;
}

function asToken(token: Named, flags: Partial<AddedToken> = {}): AddedToken {
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return typeof token === 'string' ? { content: token, ...plain, ...flags } : token;
}

function namesTokenizer(map: unknown): boolean {
  return Array.isArray(map) || (typeof map === 'object' && map !== null && 'AutoTokenizer' in map);
}
