import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { trainTokenizer } from '../../../src/model/text/train-tokenizer.ts';

interface Learned {
  corpus: string[];
  vocabularySize: number;
  merges: [string, string][];
}
const fixture = new URL('../../fixtures/tokenizer/learned.json', import.meta.url);
const learned = JSON.parse(await readFile(fixture, 'utf8')) as Learned;

describe('training a tokenizer', () => {
  it("learns the merges that Hugging Face's trainer learns, in the same order", () => {
    expect(trainTokenizer(learned.corpus, learned.vocabularySize).model.merges).toEqual(learned.merges);
  });

  it('gives the special tokens the first ids, and single tokens to frequent words with their space', () => {
    const { vocab } = trainTokenizer(learned.corpus, learned.vocabularySize).model;
    expect(vocab).toMatchObject({ '<s>': 0, '</s>': 1, '<pad>': 2, '<ImageHere>': 3, '!': 4 });
    expect(Object.keys(vocab)).toEqual(expect.arrayContaining(['Ġred', 'Ġumbrella', 'Ġanswer']));
    expect(Object.values(vocab).toSorted((one, other) => one - other)).toEqual(
      Array.from({ length: learned.vocabularySize }, (_, id) => id),
    );
  });

  it('stops when no pair occurs twice', () => {
    const { vocab, merges } = trainTokenizer(['ab ab cd'], 1000).model;
    expect(merges).toEqual([['a', 'b']]);
    expect(Object.keys(vocab)).toHaveLength(4 + 256 + 1);
  });

  it('learns nothing from special tokens in the texts', () => {
    const { merges } = trainTokenizer(['<ImageHere></s>', '<ImageHere></s>'], 1000).model;
    expect(merges).toEqual([]);
  });

  it('refuses a vocabulary that is too small for the bytes', () => {
    expect(() => trainTokenizer([], 259)).toThrow('take 260');
  });
});
