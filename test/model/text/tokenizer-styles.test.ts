/** Tokenizers of every kind against Python's `tokenizers`. */
import { describe, expect, test } from 'vitest';
import type { Tokenizer } from '../../../src/model/text/tokenizer.ts';
import { loadContent, styleNamed, styles, texts } from '../../helpers/tokenizer-styles.ts';

const encodeAll = (tokenizer: Tokenizer) => Promise.all(texts.map((text) => tokenizer.encode(text)));

test('there are 68 tokenizers and 204 texts', () => {
  expect(styles).toHaveLength(68);
  expect(texts).toHaveLength(204);
});

describe.each(styles)('$name', ({ tokenizer: content, ids, whole, decoded }) => {
  test('gives the ids that Python gives', async () => {
    const tokenizer = await loadContent(content);
    expect(await encodeAll(tokenizer)).toEqual(ids);
    const found = await Promise.all(texts.map((text) => tokenizer.encodeWhole(text)));
    expect(found).toEqual(ids.map((some, index) => whole[index] ?? some));
  });

  test('gives the texts that Python gives', async () => {
    const tokenizer = await loadContent(content);
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
    const { tokenizer, ids } = styleNamed(name);
    expect(await encodeAll(await loadContent(tokenizer))).toEqual(ids);
  });
});

test('torchrun-tokenizer-truncation: truncation and padding in the file change no ids', async () => {
  const { tokenizer: content, ids } = styleNamed('llama-legacy');
  const truncation = { direction: 'Right', max_length: 12, strategy: 'LongestFirst', stride: 0 };
  const pad = { pad_id: 0, pad_type_id: 0, pad_token: '<unk>', pad_to_multiple_of: null };
  const padding = { strategy: { Fixed: 40 }, direction: 'Right', ...pad };
  expect(await encodeAll(await loadContent({ ...content, truncation, padding }))).toEqual(ids);
});
