/** Texts that spell special tokens, and all marks that a tokenizer's file has. */
import { isMark } from '../../src/model/text/plain-text.ts';
import { tokenizerSchema } from '../../src/model/text/tokenizer-config.ts';

export function marksIn(content: unknown): string[] {
  return tokenizerSchema
    .parse(content)
    .added_tokens.filter(isMark)
    .map((token) => token.content);
}

/** Every mark at the start, inside, at the end, twice, within itself, and in other letters of the same meaning. */
export function textsWith(marks: readonly string[]): string[] {
  return [
    'a red bus',
    '',
    ...marks.flatMap((mark) => [
      mark,
      `Is ${mark} red? ${mark}${mark}`,
      `a${mark}b`,
      `(A) x ${mark} (B) ${mark.toUpperCase()}\n${mark.toLowerCase()}`,
      `${mark.slice(0, 1)}${mark}${mark.slice(1)}`,
      `${mark.slice(0, 1)}\uFDD0${mark.slice(1)} and ${mark.slice(0, 1)}\uFDD1${mark.slice(1)}`,
      // Full-width forms, which NFKC makes ASCII.
      [...mark]
        .map((letter) => (/[!-~]/.test(letter) ? String.fromCodePoint(letter.charCodeAt(0) + 0xfee0) : letter))
        .join(''),
    ]),
    `### <s> </s> <unk> <pad> <start_of_turn> <eos> <loc0001> <|im_end|> 🚌 ${marks.join('')}`,
  ];
}
