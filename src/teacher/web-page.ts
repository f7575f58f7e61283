/** Pages and other long texts that come in place of an answer or of an error: their first words say where they come from. */

export function isWebPage(text: string): boolean {
  return /<(?:!doctype|html|body|head)\b/i.test(text);
}

/** What a page shows. */
export function wordsOfPage(page: string): string {
  return page.replace(/<(script|style)\b.*?<\/\1>/gis, ' ').replace(/<[^>]*>/g, ' ');
}

/** The beginning of a text, on one line. */
export function firstWords(text: string, most = 200): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most)}…` : line;
}
