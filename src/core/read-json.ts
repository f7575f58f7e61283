import { readFile } from 'node:fs/promises';
import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser';
import type { z } from 'zod';
import { hashFile } from './hash.ts';
import { describeFirstIssue, InputError } from './input-error.ts';

/**
 * Reads a JSON file and checks it.
 *
 * @throws InputError when the file is missing, is not JSON (with line and column), or does not fit the
 *   schema (with the path of the field).
 */
export async function readJson<S extends z.ZodType>(file: string, schema: S): Promise<z.output<S>> {
  return parseJson(await readTextFile(file), file, schema);
}

/**
 * Reads a file of one JSON value a line; empty lines are skipped. With `tolerateTruncatedLastLine` a last line that lacks
 * its line break and is not JSON, as a killed writer leaves it, is skipped too.
 *
 * @throws InputError as `readJson` does, with the line of the file.
 */
export async function readJsonLines<S extends z.ZodType>(
  file: string,
  schema: S,
  options: { tolerateTruncatedLastLine?: boolean } = {},
): Promise<z.output<S>[]> {
  const lines = (await readTextFile(file)).split('\n');
  // A complete file ends with a line break: an unfinished line, if there is one, is the last element.
  const unfinished = lines.length - 1;
  const values: z.output<S>[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    if (index === unfinished && options.tolerateTruncatedLastLine && !isJson(line)) continue;
    values.push(parseJson(line, file, schema, index + 1));
  }
  return values;
}

/**
 * Parses and checks JSON text that came from a file, or that messages name like one.
 *
 * @param firstLine the line of the file where the text starts
 * @param firstColumn the column of that line where the text starts
 * @throws InputError as `readJson` does.
 */
export function parseJson<S extends z.ZodType>(
  text: string,
  file: string,
  schema: S,
  firstLine?: number,
  firstColumn = 1,
): z.output<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const { line, column, problem } = findSyntaxError(text);
    throw new InputError(
      {
        file,
        line: (firstLine ?? 1) + line - 1,
        column: line === 1 ? firstColumn + column - 1 : column,
        problem: `is not valid JSON: ${problem}`,
        remedy: 'Correct the file here, or download it again if it was cut short',
      },
      { cause },
    );
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { field, problem } = describeFirstIssue(result.error);
  throw new InputError(
    { file, field, line: firstLine, problem, remedy: 'Correct this value' },
    { cause: result.error },
  );
}

/**
 * Reads a text file that a person named. A byte order mark at its start, as some editors write, is not part of the text.
 *
 * @throws InputError when it is missing, is a folder, or may not be read.
 */
export async function readTextFile(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).replace(/^\ufeff/, '');
  } catch (cause) {
    throw inputErrorOfFile(file, cause);
  }
}

/**
 * SHA-256 of a file that a person named.
 *
 * @throws InputError when it is missing, is a folder, or may not be read.
 */
export async function hashInputFile(file: string): Promise<string> {
  return hashFile(file).catch((cause: unknown) => {
    throw inputErrorOfFile(file, cause);
  });
}

/** The error of opening or reading a file that a person named: an InputError where that person can repair it. */
export function inputErrorOfFile(file: string, cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return new InputError({ file, problem: 'no such file', remedy: 'Check the path' }, { cause });
  if (code === 'EISDIR') {
    return new InputError({ file, problem: 'is a folder, not a file', remedy: 'Name the file inside it' }, { cause });
  }
  if (code === 'EACCES') {
    return new InputError({ file, problem: 'may not be read', remedy: 'Check its permissions' }, { cause });
  }
  return cause;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

// JSON.parse names a position only for some errors, and differently in each version of V8.
function findSyntaxError(text: string): { line: number; column: number; problem: string } {
  const errors: ParseError[] = [];
  parse(text, errors, { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false });
  const offset = Math.min(errors[0]?.offset ?? text.length, text.length);
  const before = text.slice(0, offset).split('\n');
  const problem = text.slice(offset).trim() === '' ? 'it ends too early' : wordsOf(errors[0]);
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, problem };
}

// 'CommaExpected' → 'comma expected'
function wordsOf(error: ParseError | undefined): string {
  if (!error) return 'unexpected text';
  return printParseErrorCode(error.error)
    .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toLowerCase();
}
