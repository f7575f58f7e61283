/**
 * The pages of the documentation, and the commands in them.
 */
import { readdir, readFile } from 'node:fs/promises';

/** The text of each page, by its path from the project's folder. */
export async function readPages(): Promise<Map<string, string>> {
  const names = await Promise.all(
    ['docs', 'docs/recipes'].map(async (folder) => (await readdir(folder)).map((name) => `${folder}/${name}`)),
  );
  const docs = names.flat().filter((name) => name.endsWith('.md'));
  const pages = new Map<string, string>();
  for (const page of ['README.md', 'CONTRIBUTING.md', ...docs]) pages.set(page, await readFile(page, 'utf8'));
  return pages;
}

/** Each command line of a page's shell blocks, without comments; lines that end in a backslash are joined. */
export function commandsInBlocks(text: string): string[] {
  return [...text.matchAll(/^```(?:sh|bash|console)\n([\s\S]*?)^```/gm)]
    .flatMap(([, block]) => (block as string).replaceAll(/\\\n\s*/g, ' ').split('\n'))
    .map((line) =>
      line
        .replace(/^\$ /, '')
        .replace(/(^|\s)#\s.*$/, '')
        .replaceAll(/\s+/g, ' ')
        .trim(),
    )
    .filter((line) => line !== '');
}

/** Each command of ours that stands within a sentence. */
export function commandsInSentences(text: string): string[] {
  return [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`(dataengine [^`]+)`/g)].map(([, line]) =>
    (line as string).replaceAll(/\s+/g, ' '),
  );
}
