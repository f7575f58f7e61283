/**
 * Tokenizers of every kind against Python's `tokenizers` 0.23.3: `test/fixtures/make-tokenizer-styles-fixture.py` made
 * them, and recorded ids and texts.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { loadTokenizer, type Tokenizer } from '../../../src/model/text/tokenizer.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

interface Style {
  name: string;
  tokenizer: Record<string, unknown>;
  /** Of every text, without special tokens around it. */
  ids: number[][];
  /** With special tokens around it, where that differs; by the text's index. */
  whole: Record<number, number[]>;
  /** The text of the ids, where it differs from the text. */
  decoded: Record<number, string>;
}

const fixture = path.join(import.meta.dirname, '../../fixtures/tokenizer-styles.jsonl.gz');
const [first = '', ...lines] = gunzipSync(readFileSync(fixture)).toString('utf8').trimEnd().split('\n');
const { texts } = JSON.parse(first) as { texts: string[] };
const styles = lines.map((line) => JSON.parse(line) as Style);

async function load(content: unknown): Promise<Tokenizer> {
  const directory = await temporaryFolder();
  await writeFile(path.join(directory, 'tokenizer.json'), JSON.stringify(content));
  return loadTokenizer(directory);
}

const encodeAll = (tokenizer: Tokenizer) => Promise.all(texts.map((text) => tokenizer.encode(text)));

test('there are 68 tokenizers and 204 texts', () => {
  expect(styles).toHaveLength(68);
  expect(texts).toHaveLength(204);
});

describe.each(styles)('$name', ({ tokenizer: content, ids, whole, decoded }) => {
  test('gives the ids that Python gives', async () => {
    const tokenizer = await load(content);
    expect(await encodeAll(tokenizer)).toEqual(ids);
    const found = await Promise.all(texts.map((text) => tokenizer.encodeWhole(text)));
    expect(found).toEqual(ids.map((some, index) => whole[index] ?? some));
  });

  test('gives the texts that Python gives', async () => {
    const tokenizer = await load(content);
    expect(ids.map((some) => tokenizer.decode(some))).toEqual(texts.map((text, index) => decoded[index] ?? text));
  });
});

/** What was once encoded otherwise, in silence. */
describe.each([
  ['added-single-word', ['added-single']],
  ['split-behaviors', ['split-invert', 'split-next', 'split-prev']],
  ['unigram-byte-fallback', ['unigram-bf', 'precompiled-nmt-nfkc', 'precompiled-nmt-nfkc-cf']],
])('%s', (_case, names) => {
  test.each(names)('%s is encoded as Python encodes it', async (name) => {
    const style = styles.find((one) => one.name === name) as Style;
    expect(await encodeAll(await load(style.tokenizer))).toEqual(style.ids);
  });
});

test('torchrun-tokenizer-truncation: truncation and padding in the file change no ids', async () => {
  const { tokenizer: content, ids } = styles.find(({ name }) => name === 'llama-legacy') as Style;
  const truncation = { direction: 'Right', max_length: 12, strategy: 'LongestFirst', stride: 0 };
  const pad = { pad_id: 0, pad_type_id: 0, pad_token: '<unk>', pad_to_multiple_of: null };
  const padding = { strategy: { Fixed: 40 }, direction: 'Right', ...pad };
  expect(await encodeAll(await load({ ...content, truncation, padding }))).toEqual(ids);
});
