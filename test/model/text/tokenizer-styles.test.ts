/**
 * Tokenizers of every family's style against Python's `tokenizers`: `test/fixtures/make-tokenizer-styles-fixture.py`
 * made them, and recorded ids and texts.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadTokenizer, type Tokenizer } from '../../../src/model/text/tokenizer.ts';

const folder = path.join(import.meta.dirname, '../../fixtures/tokenizer-styles');
const styles = ['llama', 'vicuna-llava', 'llama-not-legacy', 'llama3', 'gpt2', 'sentencepiece-unigram'];

describe.each(styles)('%s', (style) => {
  const recorded = JSON.parse(readFileSync(path.join(folder, style, 'encoded.json'), 'utf8')) as {
    text: string;
    ids: number[];
    decoded: string;
  }[];

  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await loadTokenizer(path.join(folder, style));
  });

  test.each(recorded)('gives the ids and the text that Python gives: $text', async ({ text, ids, decoded }) => {
    expect(await tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(decoded);
  });
});
