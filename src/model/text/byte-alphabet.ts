/**
 * The 256 characters by which byte-level tokenizers write bytes: the printable ones of Latin-1 stand for
 * themselves, the others are moved to U+0100 and up, so that a space is written `Ġ`. The byte is the index.
 *
 * Source: `bytes_to_unicode` of GPT-2, https://github.com/openai/gpt-2/blob/master/src/encoder.py
 */
export const characterOfByte: readonly string[] = makeAlphabet();

function makeAlphabet(): string[] {
  let moved = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(printable ? byte : 256 + moved++);
  });
}

/** How GPT-2 cuts text into words before merging; a word keeps the space before it. */
export const wordPattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** A text's UTF-8 bytes, each as its character of the alphabet. */
export function toByteCharacters(text: string): string[] {
  return Array.from(new TextEncoder().encode(text), (byte) => characterOfByte[byte] as string);
}
