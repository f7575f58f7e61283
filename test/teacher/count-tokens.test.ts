import { expect, test } from 'vitest';
import { countTokens, firstTokens } from '../../src/teacher/count-tokens.ts';

test('marks of a model are counted as the text that they are', () => {
  for (const mark of ['<|endoftext|>', '<|fim_prefix|>', '<|im_start|>']) {
    const tokens = countTokens(`a caption with ${mark} in it`);
    expect(tokens).toBeGreaterThan(7);
    expect(tokens).toBeLessThan(16);
    expect(firstTokens(mark, 100)).toBe(mark);
  }
});

test('a text without a space, of a megabyte, is counted', () => {
  for (const [piece, most] of [
    ['a', 0.2],
    ['中', 2],
    [' ', 0.2],
    ['!?', 2.1],
  ] as const) {
    const text = piece.repeat(1_000_000 / piece.length);
    const tokens = countTokens(text);
    expect(tokens).toBeGreaterThan(1000);
    expect(tokens).toBeLessThan(most * text.length);
    expect(text.startsWith(firstTokens(text, 1000))).toBe(true);
  }
});
