import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { textBeforeStop } from '../../../src/model/decoding/generate.ts';
import { textStream } from '../../../src/model/decoding/text-stream.ts';

/** Each token is one byte, as for tokenizers that fall back to bytes. */
const decode = (ids: readonly number[]) => Buffer.from(ids).toString('utf8');
const bytesOf = (text: string) => [...Buffer.from(text)];

/** What comes out of a stream, by token, and how many tokens it took. */
function streamed(tokens: readonly number[], stop: string[] = [], separator = '', decoder = decode) {
  const stream = textStream(decoder, { stop, separator });
  const texts: string[] = [];
  for (const [index, token] of tokens.entries()) {
    const { texts: ready, isStopped } = stream.push(token);
    texts.push(...ready);
    expect(texts.length).toBeLessThanOrEqual(index + 1);
    if (isStopped) return { texts, taken: index + 1, isStopped };
  }
  texts.push(...stream.end());
  return { texts, taken: tokens.length, isStopped: false };
}

test('characters come whole, with the token that completes them', () => {
  const { texts } = streamed(bytesOf('né 😀!'));
  expect(texts.join('')).toBe('né 😀!');
  expect(texts.map((text) => text.trim()).filter((text) => text !== '')).toEqual(['n', 'é', '😀', '!']);
});

test('bytes that are no character are given out in the end, as decoding all at once has them', () => {
  const broken = [...bytesOf('ab'), 0xf0, 0x9f];
  expect(streamed(broken).texts.join('')).toBe(decode(broken));
});

test.each([
  ['a red bus###Human', ['###'], 'a red bus'],
  ['a red bus##', ['###'], 'a red bus##'],
  ['one\nUSER: two###', ['###', '\nUSER'], 'one'],
  ['###', ['###'], ''],
  ['aab', ['ab'], 'a'],
  ['ababac', ['abac'], 'ab'],
])('%j with the stop texts %j', (text, stop, expected) => {
  const { texts, isStopped } = streamed(bytesOf(text), stop);
  expect(texts.join('')).toBe(expected);
  expect(isStopped).toBe(textBeforeStop(text, stop) !== undefined);
});

test('a text that may start a stop text waits, and comes out when it does not', () => {
  const stream = textStream(decode, { stop: ['###'] });
  expect(bytesOf('x##y').map((byte) => stream.push(byte).texts)).toEqual([['x'], [], [], ['#', '#', 'y']]);
});

test('the separator before an answer is no part of it', () => {
  expect(streamed(bytesOf(' The'), [], ' ').texts.join('')).toBe('The');
  expect(streamed(bytesOf('The'), [], ' ').texts.join('')).toBe('The');
  expect(streamed(bytesOf('  The'), [], ' ').texts.join('')).toBe(' The');
});

test('spaces that a tokenizer cleans up are never given out', () => {
  const clean = (ids: readonly number[]) =>
    decode(ids)
      .replaceAll(/ ([.?!,])/g, '$1')
      .replaceAll(" ' ", "'")
      .replaceAll(/ (n't|'m|'s|'ve|'re)/g, '$1');
  const text = "it is n't , I 'm sure . Is it 's own ' thing ?";
  expect(streamed(bytesOf(text), [], '', clean).texts.join('')).toBe(clean(bytesOf(text)));
});

describe('random texts', () => {
  const random = seededRandom('text-stream');
  const letters = ['a', 'b', ' ', '#', 'é', '中', '😀', '.', '\n', "'"];
  test.each(Array.from({ length: 200 }, (_, index) => index))(
    'text %i is that of decoding all at once, up to its stop text',
    () => {
      const text = Array.from({ length: random.integer(200) }, () => random.pick(letters)).join('');
      const stop = Array.from({ length: random.integer(3) }, () =>
        Array.from({ length: 1 + random.integer(4) }, () => random.pick(letters)).join(''),
      );
      const { texts, taken } = streamed(bytesOf(text), stop);
      const expected = textBeforeStop(text, stop);
      expect(texts.join('')).toBe(expected ?? text);
      if (expected === undefined) expect(texts).toHaveLength(taken);
    },
  );
});
