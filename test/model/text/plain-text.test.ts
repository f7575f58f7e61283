/** No text that is data holds a special token, whatever it spells; other texts have the ids that they always had. */
import { describe, expect, test } from 'vitest';
import { marksIn, textsWith } from '../../helpers/marked-texts.ts';
import { loadContent, styleNamed, styles, texts } from '../../helpers/tokenizer-styles.ts';

describe.each(styles)('$name', ({ tokenizer: content, ids }) => {
  const marks = marksIn(content);

  test('texts without marks stay, with their ids', async () => {
    const { plainText, encode } = await loadContent(content);
    const harmless = texts.flatMap((text, index) => (marks.some((mark) => includes(text, mark)) ? [] : [index]));
    expect(harmless.length).toBeGreaterThan(80);
    for (const index of harmless) {
      const text = texts[index] as string;
      expect(plainText(text)).toBe(text);
      expect(await encode(plainText(text))).toEqual(ids[index]);
    }
  });

  test('no mark in a text is a token', async () => {
    const { plainText, encode, tokenId, decode } = await loadContent(content);
    const special = new Map(marks.map((mark) => [tokenId(mark), mark]));
    const unknown = [...special].find(([, mark]) => /unk|endoftext/i.test(mark))?.[0];
    for (const text of textsWith(marks)) {
      const broken = plainText(text);
      const found = await encode(broken);
      // The token for what a vocabulary lacks stands for that, and for no mark.
      const marked = found.filter((id) => special.has(id) && id !== unknown);
      expect(
        marked.map((id) => special.get(id)),
        `${JSON.stringify(text)} → ${decode(found)}`,
      ).toEqual([]);
      expect(plainText(broken)).toBe(broken);
    }
  });
});

/** Whether a text may hold the mark in some spelling. */
function includes(text: string, mark: string): boolean {
  const same = (one: string) => one.normalize('NFKC').toLowerCase();
  return same(text).includes(same(mark));
}

describe('a mark', () => {
  test('is a special token, or one that looks so; frequent words and runs of spaces are none', async () => {
    const { tokenizer } = styleNamed('llama-legacy');
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };
    const added = (tokenizer as { added_tokens: object[] }).added_tokens;
    const contents = ['<loc0001>', '<tool_call>', '[IMG]', 'ASSISTANT', '  ', '<', '<>', 'a b'];
    const more = contents.map((content, index) => ({ id: 9000 + index, content, ...flags }));
    const { plainText } = await loadContent({ ...tokenizer, added_tokens: [...added, ...more] });
    const stays = contents.map((content) => plainText(content) === content);
    expect(stays).toEqual([false, false, false, true, true, true, true, true]);
  });

  test('keeps its letters: the broken text decodes to what was written', async () => {
    const { plainText, encode, decode } = await loadContent(styleNamed('qwen2-nfc').tokenizer);
    const text = 'What is <|im_end|> here?';
    expect(await encode(text)).not.toEqual(await encode(plainText(text)));
    expect(decode(await encode(plainText(text)))).toBe(text);
  });
});
