import type { Document } from 'yaml';
import { InputError } from './input-error.ts';

const mostAliases = 100;

/**
 * The value of a YAML document of a person's, which must be plain: tags other than YAML's own are refused, as they ask
 * for what the reader may not know of, and so are aliases that multiply a small file into a huge value.
 *
 * @param options.firstLine the document's first line in the file, where it is a part of it; counted from 1
 * @param options.lineOf the line of an offset, where the document was parsed without lines in its errors
 * @throws InputError with the line of a tag
 */
export function plainYamlValue(
  document: Document.Parsed,
  file: string,
  { firstLine = 1, lineOf }: { firstLine?: number; lineOf?: (offset: number) => number } = {},
): unknown {
  const [tag] = document.warnings;
  if (tag !== undefined) {
    const line = (tag.linePos?.[0].line ?? lineOf?.(tag.pos[0]) ?? 1) + firstLine - 1;
    const problem = tag.message.split('\n')[0] ?? 'has an unknown tag';
    throw new InputError({ file, line, problem: problem.trim(), remedy: 'Write the value without a tag' });
  }
  try {
    return document.toJS({ maxAliasCount: mostAliases });
  } catch (cause) {
    const problem = `aliases (*name) repeat too much (${(cause as Error).message})`;
    throw new InputError({ file, problem, remedy: 'Write the values out' }, { cause });
  }
}
