import type { Document } from 'yaml';
import { InputError } from './input-error.ts';

const mostAliases = 100;

/**
 * The value of a person's YAML document, which must be plain. Tags other than YAML's own are refused, because the reader may
 * not support them, and so are aliases that expand a small file into a huge value.
 *
 * @param options.firstLine the line of the file on which the document starts; counted from 1
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
