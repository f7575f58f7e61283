/** Texts from outside within the Markdown that the Temporal UI shows: they stay texts, in their place. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g;

/** A text on one line, of which nothing is a link, an image, HTML, code, emphasis or the end of a table's cell. */
export function plainText(text: string): string {
  return text.replace(controls, ' ').replace(/[\\`*[\]<>|~]/g, (mark) => `\\${mark}`);
}

/** A text as code on one line; in a table too. */
export function codeSpan(text: string): string {
  return `\`${text.replace(controls, ' ').replaceAll('`', "'").replaceAll('|', '\\|')}\``;
}

/** Lines as a block of code, whose fence is longer than any in it. */
export function codeBlock(language: string, lines: string): string {
  const longest = Math.max(2, ...[...lines.matchAll(/`+/g)].map(([marks]) => marks.length));
  const fence = '`'.repeat(longest + 1);
  const shown = lines.split('\n').map((line) => line.replace(controls, ' '));
  return [`${fence}${language}`, ...shown, fence].join('\n');
}
