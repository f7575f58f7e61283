/**
 * Every field of `tokenizer_config.json` and of the files beside it, changed one at a time: the ids, texts and special
 * tokens that transformers gives (`test/fixtures/make-tokenizer-config-fixture.py`), or an error that names the field.
 */
import { readFileSync } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../../src/core/input-error.ts';
import { loadTokenizer } from '../../../src/model/text/tokenizer.ts';
import { tokenizerConfigFields } from '../../../src/model/text/tokenizer-config.ts';
import { copyWith } from '../../helpers/copy-with.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const fixture = path.join(import.meta.dirname, '../../fixtures/tokenizer-config');

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

interface Outcome {
  begin: number | null;
  end: number | null;
  pad: number | null;
  ids: number[][];
  whole: number[][];
  decoded: string[];
  error?: string;
}
const { texts, expected, cases } = JSON.parse(readFileSync(path.join(fixture, 'cases.json'), 'utf8')) as {
  texts: string[];
  expected: Outcome;
  /** A file that is null is not there. */
  cases: { file: string; field: string; value: unknown; differs: Partial<Outcome> }[];
};

/** Refused although transformers takes it: it does there what is not done here, or may. */
const refused = [
  'split_special_tokens: true',
  'auto_map: {"AutoTokenizer":[null,"tokenization_own.OwnTokenizer"]}',
  'made_up_field: 1',
];
const isMadeUp = (value: unknown) => JSON.stringify(value).includes('made_up_field');

async function directoryWith(file: string, field: string, value: unknown): Promise<string> {
  const directory = await temporaryFolder();
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
    if (name === file && value === null && field === 'the file') continue;
    await cp(path.join(fixture, name), path.join(directory, name));
  }
  if (field === 'the file') {
    if (value !== null) await writeFile(path.join(directory, file), JSON.stringify(value));
    return directory;
  }
  const { [field]: _, ...rest } = JSON.parse(readFileSync(path.join(fixture, file), 'utf8')) as Record<string, unknown>;
  const content = value === 'left out' ? rest : { ...rest, [field]: value };
  await writeFile(path.join(directory, file), JSON.stringify(content));
  return directory;
}

async function outcomeOf(directory: string, ids: readonly number[][]): Promise<Omit<Outcome, 'error'>> {
  const tokenizer = await loadTokenizer(directory);
  return {
    begin: tokenizer.beginToken ?? null,
    end: tokenizer.endToken ?? null,
    pad: tokenizer.padToken ?? null,
    ids: await Promise.all(texts.map((text) => tokenizer.encode(text))),
    whole: await Promise.all(texts.map((text) => tokenizer.encodeWhole(text))),
    decoded: ids.map((some) => tokenizer.decode(some)),
  };
}

test('the directory as it is gives what transformers gives', async () => {
  expect(await outcomeOf(fixture, expected.ids)).toEqual(expected);
});

async function changed(file: string, change: Record<string, unknown>): Promise<string> {
  const directory = await temporaryFolder();
  await copyWith(fixture, directory, file, (content) => ({ ...content, ...change }));
  return directory;
}

test('an empty token, as the first conversions of LLaMA have it, is none', async () => {
  const empty = { bos_token: '', eos_token: '', unk_token: '' };
  const tokenizer = await loadTokenizer(await changed('tokenizer_config.json', empty));
  expect(tokenizer.endToken).toBeUndefined();
  // Put before a whole text by tokenizer.json.
  expect(tokenizer.beginToken).toBe(1);
});

test('BPE dropout, which gives a text other ids every time, is refused by name', async () => {
  const { model } = JSON.parse(readFileSync(path.join(fixture, 'tokenizer.json'), 'utf8')) as { model: object };
  const directory = await changed('tokenizer.json', { model: { ...model, dropout: 0.1 } });
  await expect(loadTokenizer(directory)).rejects.toThrow(/tokenizer\.json: model\.dropout: gives a text other ids/);
});

test('spaces before punctuation are removed for BPE only if that is forced, as in transformers', async () => {
  const vocab = Object.fromEntries(['<s>', '</s>', '<pad>', 'a', 'Ġ', '.', ','].map((token, id) => [token, id]));
  const bpe = { model: { type: 'BPE', vocab, merges: [] }, decoder: byteLevel, pre_tokenizer: byteLevel };
  const decoded = async (settings: Record<string, unknown>) => {
    const directory = await changed('tokenizer.json', {
      ...bpe,
      added_tokens: [],
      normalizer: null,
      post_processor: null,
    });
    const file = path.join(directory, 'tokenizer_config.json');
    await writeFile(file, JSON.stringify(settings));
    return (await loadTokenizer(directory)).decode([3, 4, 6, 3, 4, 5]);
  };
  const forced = { clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output: true };
  expect(await decoded({ clean_up_tokenization_spaces: true })).toBe('a ,a .');
  expect(await decoded({ clean_up_tokenization_spaces: true, ...forced })).toBe('a,a.');
  expect(await decoded(forced)).toBe('a ,a .');
});

test('every field that is said to be without effect was changed', () => {
  const tried = new Set(cases.map(({ field }) => field));
  const untried = Object.values(tokenizerConfigFields.withoutEffect).flatMap((fields) =>
    fields.filter((field) => !tried.has(field)),
  );
  expect(untried).toEqual([]);
});

describe.each(cases)('$file: $field = $value', ({ file, field, value, differs }) => {
  const change = `${field}: ${JSON.stringify(value)}`;
  const isRefused = differs.error !== undefined || refused.includes(change) || isMadeUp(value);

  test(isRefused ? 'is refused by name' : 'gives what transformers gives', async () => {
    const directory = await directoryWith(file, field, value);
    if (isRefused) {
      const error = await loadTokenizer(directory).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(InputError);
      expect((error as Error).message).toContain(path.join(directory, file));
      if (differs.error === undefined)
        expect((error as Error).message).toContain(isMadeUp(value) ? 'made_up_field' : field);
      return;
    }
    const { begin, ...wanted } = { ...expected, ...differs };
    // Where no file names a begin token, it is the one that is put before a whole text.
    const [whole, text] = [wanted.whole[0]?.[0], wanted.ids[0]?.[0]];
    const wantedBegin = begin ?? (whole === text ? null : whole);
    expect(await outcomeOf(directory, wanted.ids)).toEqual({ ...wanted, begin: wantedBegin });
  });
});
