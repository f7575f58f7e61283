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

const box = String.raw`\[[^\[\]\n]*\]`;
const boxList = new RegExp(String.raw`\s*${box}(?:\s*(?:,|and|, and)\s*${box})*`, 'g');

/**
 * Removes `[x1, y1, x2, y2]` from a text, with the blanks and commas that it leaves behind. A list of boxes
 * ("people [..] and [..] ride") goes as a whole; the reference system leaves its "and" there.
 */
export function stripBoxes(text: string): string {
  return text
    .replace(boxList, ' ')
    .replace(/\s+and\s*(?=[,.?](?:\s|$))/g, '')
    .replace(/(?:\s*,\s*)+(?=[.?])/g, '')
    .replace(/\s+([,.?])/g, '$1')
    .replace(/,(?:\s*,)+/g, ',')
    .replace(/\s+/g, ' ')
    .trim();
}
