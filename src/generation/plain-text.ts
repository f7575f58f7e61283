/**
 * Normalizes a text for comparison: without case, outer blanks, a leading article and trailing punctuation. "The dog." and
 * "a dog" become equal; "+1" and "-1" do not.
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

const stopWords = new Set(['a', 'an', 'the', 'of', 'this', 'that', 'here', 'image', 'picture']);

/**
 * The words of a text without stop words, in lower case and in order. In scripts without blanks between words each
 * character is a word.
 */
export function wordsOf(text: string): string[] {
  const words = text.normalize('NFKC').toLowerCase().match(wordPattern) ?? [];
  return words.filter((word) => !stopWords.has(word));
}

const wordPattern =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|(?:(?![\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}])[\p{L}\p{M}\p{N}])+/gu;

const box = String.raw`\[[^\[\]\n]*\]`;
const boxList = new RegExp(String.raw`\s*${box}(?:\s*(?:,|and|, and)\s*${box})*`, 'g');

/**
 * Removes `[x1, y1, x2, y2]` from a text, with the blanks and commas around it. A list of boxes ("people [..] and [..]
 * ride") is removed as a whole; the reference system leaves its "and".
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
