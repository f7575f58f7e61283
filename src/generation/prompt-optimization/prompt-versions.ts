import { readFile } from 'node:fs/promises';
import { joinInside } from '../../core/inside.ts';
import { writeFileAtomically } from '../../core/write-file.ts';

/**
 * Writes a prompt as the next version of its name: after `generate-v3` the first of `generate-v4`, `-v5` … that does not
 * exist. No version is ever overwritten.
 *
 * @param input.version the version of the prompt that it was made from
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
    const file = joinInside(folder, `${version}.md`);
    const content = withVersion(text, version);
    const existing = await contentOf(file);
    // An interrupted attempt may have written the same text.
    if (existing !== undefined && existing !== content) continue;
    if (existing === undefined) await writeFileAtomically(file, content);
    return { version, file };
  }
}

/** Replaces `version` in the front matter of a prompt. */
function withVersion(text: string, version: string): string {
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
