import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../core/write-file.ts';

/**
 * Writes a prompt as the next version of its name: after `generate-v3` comes the first of `generate-v4`, `-v5` … that
 * is not there yet. No version is ever written over.
 *
 * @param input.version the version of the prompt that it comes from
 * @param input.text the whole file; the `version` of its front matter is replaced
 */
export async function writePromptVersion(input: {
  folder: string;
  version: string;
  text: string;
}): Promise<{ version: string; file: string }> {
  const { folder, text } = input;
  const { name, number } = splitVersion(input.version);
  for (let next = number + 1; ; next += 1) {
    const version = `${name}-v${next}`;
    const file = join(folder, `${version}.md`);
    const content = withVersion(text, version);
    const there = await contentOf(file);
    // An attempt that died after writing has left the same text.
    if (there !== undefined && there !== content) continue;
    if (there === undefined) await writeFileAtomically(file, content);
    return { version, file };
  }
}

/** The text with another `version` in its front matter. */
export function withVersion(text: string, version: string): string {
  return text.replace(/^version:.*$/m, `version: ${version}`);
}

function splitVersion(version: string): { name: string; number: number } {
  const match = /^(.*?)-v(\d+)$/.exec(version);
  return match ? { name: match[1] as string, number: Number(match[2]) } : { name: version, number: 0 };
}

async function contentOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
