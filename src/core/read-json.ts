import type { z } from 'zod';
import { hashFile } from './hash.ts';
import { describeFirstIssue, InputError } from './input-error.ts';
import { findDeepNesting, findSyntaxError, type SyntaxProblem } from './json-syntax.ts';
import { inputErrorOfFile, longestText, readRegularFile } from './regular-file.ts';

/** Files of settings, such as a model's `config.json`, have a few thousand. */
const mostBytesOfSettings = 16 * 1024 * 1024;

/**
 * Reads a JSON file and checks it.
 *
 * @param options.mostBytes its size at most; without it, as much as Node can hold
 * @throws InputError when the file is missing, is no regular file, is too large, is not JSON (with line and column), is
 *   nested too deeply, or does not fit the schema (with the path of the field).
 */
export async function readJson<S extends z.ZodType>(
  file: string,
  schema: S,
  { mostBytes }: { mostBytes?: number } = {},
): Promise<z.output<S>> {
  return parseJson(await readTextFile(file, mostBytes), file, schema);
}

/** Reads a JSON file of settings, of at most 16 MiB. @throws InputError as `readJson` does */
export async function readSettings<S extends z.ZodType>(file: string, schema: S): Promise<z.output<S>> {
  return readJson(file, schema, { mostBytes: mostBytesOfSettings });
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
  const deep = findDeepNesting(text);
  if (deep !== undefined) throw syntaxError(file, deep, firstLine, firstColumn);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw syntaxError(file, findSyntaxError(text), firstLine, firstColumn);
  }
  return requireShape(value, file, schema, firstLine);
}

/** Checks a value that came from a JSON file. @throws InputError with the path of the field that does not fit */
export function requireShape<S extends z.ZodType>(value: unknown, file: string, schema: S, line?: number): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { field, problem } = describeFirstIssue(result.error);
  // Without the schema's own error: that lists every problem, and causes get into histories.
  throw new InputError({ file, field, line, problem, remedy: 'Correct this value' });
}

function syntaxError(file: string, found: SyntaxProblem, firstLine = 1, firstColumn = 1): InputError {
  const { line, column, problem } = found;
  return new InputError({
    file,
    line: firstLine + line - 1,
    column: line === 1 ? firstColumn + column - 1 : column,
    problem,
    remedy: 'Correct the file here, or download it again if it was cut short',
  });
}

/**
 * Reads a text file that a person named. A byte order mark at its start, as some editors write, is not part of the text.
 *
 * @param mostBytes its size at most
 * @throws InputError when it is missing, is no regular file, is too large, or may not be read.
 */
export async function readTextFile(file: string, mostBytes = longestText): Promise<string> {
  return (await readRegularFile(file, mostBytes)).toString('utf8').replace(/^\ufeff/, '');
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

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
