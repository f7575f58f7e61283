/**
 * A text without what does not change its meaning: case, outer blanks, an article at its start, a mark at its end.
 * "The dog." and "a dog" are the same; "+1" and "-1" are not.
 */
export function plainText(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^["'“‘]+|["'”’.,;:!?。]+$/g, '')
    .replace(/^(?:an?|the) (?=\S)/, '')
    .trim();
}

const wordsThatDoNotCount = new Set(['a', 'an', 'the', 'of', 'this', 'that', 'here', 'image', 'picture']);

/**
 * The words of a text that tell it from others, in lower case and in order. Scripts without blanks between words
 * give a word a character.
 */
export function wordsOf(text: string): string[] {
  const words = text.normalize('NFKC').toLowerCase().match(wordPattern) ?? [];
  return words.filter((word) => !wordsThatDoNotCount.has(word));
}

const wordPattern =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|(?:(?![\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}])[\p{L}\p{M}\p{N}])+/gu;
