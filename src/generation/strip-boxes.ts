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
