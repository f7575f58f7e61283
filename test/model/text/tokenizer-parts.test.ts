/**
 * Tokenizers that would end the process, which nothing can catch: each is refused before the library sees it.
 */
import { truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/input-error.ts';
import { isSoundCharsmap } from '../../../src/model/text/precompiled-charsmap.ts';
import { loadTokenizer } from '../../../src/model/text/tokenizer.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const words = { type: 'WordLevel', vocab: { '[UNK]': 0, a: 1 }, unk_token: '[UNK]' };
const split = (pattern: string) => ({
  type: 'Split',
  pattern: { Regex: pattern },
  behavior: 'Isolated',
  invert: false,
});
const replace = (pattern: string) => ({ type: 'Replace', pattern: { Regex: pattern }, content: '' });

async function directoryWith(text: string): Promise<string> {
  const directory = await temporaryFolder();
  await writeFile(path.join(directory, 'tokenizer.json'), text);
  return directory;
}

const written = (parts: object) => JSON.stringify({ version: '1.0', added_tokens: [], model: words, ...parts });

describe('a tokenizer.json', () => {
  it.each([
    ['pre_tokenizer.pattern.Regex', { pre_tokenizer: split('(a+)+c') }],
    [
      'pre_tokenizer.pretokenizers[1].pattern.Regex',
      { pre_tokenizer: { type: 'Sequence', pretokenizers: [split('a'), split('(a|a)*c')] } },
    ],
    ['normalizer.pattern.Regex', { normalizer: replace('(a+)+c') }],
    ['decoder.pattern.Regex', { decoder: replace('(a+)+c') }],
    ['pre_tokenizer.length', { pre_tokenizer: { type: 'FixedLength', length: 0 } }],
    ['decoder.stop', { decoder: { type: 'Strip', content: 'a', start: 1, stop: 1 } }],
    [
      'post_processor.single',
      {
        post_processor: {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: 'X', type_id: 0 } }],
          pair: [],
          special_tokens: {},
        },
      },
    ],
    [
      'post_processor.single',
      {
        post_processor: {
          type: 'TemplateProcessing',
          single: [{ Sequence: { id: 'B', type_id: 0 } }],
          pair: [],
          special_tokens: {},
        },
      },
    ],
    ['normalizer.precompiled_charsmap', { normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA' } }],
    [
      'model.merges',
      { model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'], continuing_subword_prefix: '####' } },
    ],
  ])('that would end the process is refused at %s', async (field, parts) => {
    const directory = await directoryWith(written(parts));
    const failure = await loadTokenizer(directory).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InputError);
    expect(failure).toMatchObject({ file: path.join(directory, 'tokenizer.json'), field });
  });

  it('is used as it was checked, whichever of two equal keys the library would take', async () => {
    const twice = written({ pre_tokenizer: split('a') }).replace(
      '"pre_tokenizer":',
      `"pre_tokenizer":${JSON.stringify(split('(a+)+c'))},"pre_tokenizer":`,
    );
    const tokenizer = await loadTokenizer(await directoryWith(twice));
    expect(await tokenizer.encode('a')).toEqual([1]);
  });

  it('of 1 TB is not read', async () => {
    const directory = await directoryWith('');
    await truncate(path.join(directory, 'tokenizer.json'), 2 ** 40);
    await expect(loadTokenizer(directory)).rejects.toThrow('tokenizer.json: has 1099511627776 bytes');
  });
});

describe("SentencePiece's table of replacements", () => {
  /** Replaces a by b: the root's children begin at 256. */
  function table({ unitOfA = 0x61 | 0x100 | ((0x161 ^ 0x180) << 10), leaf = 0x80000000, text = 'b\0' } = {}): string {
    const units = new Uint32Array(512);
    units[0] = 256 << 10;
    units[0x161] = unitOfA;
    units[0x180] = leaf;
    const size = Buffer.alloc(4);
    size.writeUInt32LE(units.byteLength);
    return Buffer.concat([size, Buffer.from(units.buffer), Buffer.from(text)]).toString('base64');
  }

  it('replaces where it is sound', async () => {
    expect(isSoundCharsmap(table())).toBe(true);
    const normalizer = { type: 'Precompiled', precompiled_charsmap: table() };
    const model = { ...words, vocab: { '[UNK]': 0, b: 1 } };
    const tokenizer = await loadTokenizer(await directoryWith(written({ normalizer, model })));
    expect(await tokenizer.encode('a')).toEqual([1]);
  });

  it.each([
    ['an array that is longer than the file', Buffer.from([255, 255, 255, 255, 0, 0, 0, 0]).toString('base64')],
    ['no array', Buffer.alloc(8).toString('base64')],
    ['units that lead outside', table({ unitOfA: 0x61 | (0x3fff << 10) })],
    ['a replacement beyond the end', table({ leaf: (0x80000000 | 3) >>> 0 })],
    ['a replacement within a character', table({ text: 'é\0', leaf: (0x80000000 | 1) >>> 0 })],
    [
      'replacements that are no text',
      Buffer.concat([Buffer.from(table(), 'base64'), Buffer.from([0xff])]).toString('base64'),
    ],
    ['text that is not base64', `${table()}!`],
  ])('is refused with %s', (_, charsmap) => {
    expect(isSoundCharsmap(charsmap)).toBe(false);
  });
});
