import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/input-error.ts';
import { loadTokenizer, type Tokenizer } from '../../../src/model/text/tokenizer.ts';
import { trainTokenizer, writeTokenizer } from '../../../src/model/text/train-tokenizer.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

async function readFixture(name: string): Promise<unknown> {
  return JSON.parse(await readFile(new URL(`../../fixtures/tokenizer/${name}`, import.meta.url), 'utf8'));
}
const learned = (await readFixture('learned.json')) as { corpus: string[]; vocabularySize: number };
const encoded = (await readFixture('encoded.json')) as { text: string; ids: number[] }[];

async function writtenTokenizer(): Promise<string> {
  const directory = await temporaryFolder();
  await writeTokenizer(directory, trainTokenizer(learned.corpus, learned.vocabularySize), 160);
  return directory;
}

describe('a tokenizer', () => {
  let tokenizer: Tokenizer;
  beforeEach(async () => {
    tokenizer ??= await loadTokenizer(await writtenTokenizer());
  });

  it.each(encoded)('gives the ids that Python gives, and the text back: $text', async ({ text, ids }) => {
    expect(await tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(text);
  });

  it('takes <ImageHere> in a text as one token', async () => {
    const ids = await tokenizer.encode('<Img><ImageHere></Img>');
    expect(ids.filter((id) => id === tokenizer.tokenId('<ImageHere>'))).toHaveLength(1);
  });

  it('knows its size and its tokens, and that nothing is nothing', async () => {
    expect(tokenizer.vocabularySize).toBe(348);
    expect(tokenizer.tokenId('</s>')).toBe(1);
    expect(tokenizer.tokenId('Ġzebra')).toBeUndefined();
    expect(await tokenizer.encode('')).toEqual([]);
    expect(tokenizer.decode([])).toBe('');
  });

  it('needs no tokenizer_config.json', async () => {
    const directory = await writtenTokenizer();
    await rm(path.join(directory, 'tokenizer_config.json'));
    expect(await (await loadTokenizer(directory)).encode(' red')).toHaveLength(1);
  });
});

describe('a directory without a usable tokenizer', () => {
  it('is named in the error', async () => {
    const directory = await writtenTokenizer();
    const file = path.join(directory, 'tokenizer.json');
    await writeFile(file, '{"added_tokens": [], "model": {"type": "Guess", "vocab": {}}}');
    await expect(loadTokenizer(directory)).rejects.toThrow(`${file}: can't be used as a tokenizer`);
    await writeFile(file, '{"model": ');
    await expect(loadTokenizer(directory)).rejects.toThrow(InputError);
    await rm(file);
    await expect(loadTokenizer(directory)).rejects.toThrow(file);
  });
});
