import { expect, test } from 'vitest';
import { decodeBase64 } from '../../src/core/base64.ts';

test('bytes come back, with or without padding, spaces and line breaks', () => {
  for (const length of [0, 1, 2, 3, 4, 100]) {
    const bytes = Buffer.alloc(length, 'some bytes');
    const text = bytes.toString('base64');
    for (const written of [text, text.replace(/=+$/, ''), text.replace(/(.{4})/g, '$1\r\n'), ` ${text}\n`]) {
      expect(decodeBase64(written)).toEqual(bytes);
    }
  }
});

test.each(['%%%%', 'YWJj!!!!', '{"a": 1}', 'YW=Jj', 'ключ'])('%s is none', (text) => {
  expect(decodeBase64(text)).toBeUndefined();
});

// By the square of its length it would take minutes.
test('a text of equal signs takes no longer than others', () => {
  const start = performance.now();
  decodeBase64(`${'='.repeat(1_000_000)}a`);
  decodeBase64(`${' ='.repeat(1_000_000)}a`);
  expect(performance.now() - start).toBeLessThan(20_000);
});
