import type { z } from 'zod';
import { describeFirstIssue, fieldPath, InputError } from '../core/input-error.ts';
import { parseJson } from '../core/read-json.ts';
import { piecesOf } from '../core/regular-file.ts';
import { utf8Text } from '../core/utf8.ts';
import { type ElementBytes, RecordScanner, ScanError } from './record-scanner.ts';

const LINE_BREAK = 0x0a;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/** One element of an array of a JSON file, checked. */
export interface StreamedRecord<T> {
  array: string;
  index: number;
  value: T;
}

/**
 * Reads the elements of top-level arrays of a JSON file of any size, in the order of the file. At most a megabyte of it
 * is in memory.
 *
 * @param schemas what each array's elements look like, by the array's key; arrays of other keys are skipped. The key
 *   of a file that is itself an array is the empty string.
 * @returns the records in batches, to spend a promise per batch instead of one per record
 * @throws InputError when the file is missing; with line and column when it is not JSON; with the field, such as
 *   `annotations[12].bbox`, when an element does not fit its schema or an array is not there.
 */
export async function* streamRecords<Schemas extends Record<string, z.ZodType>>(
  file: string,
  schemas: Schemas,
): AsyncGenerator<StreamedRecord<z.output<Schemas[keyof Schemas]>>[]> {
  const scanner = new RecordScanner(Object.keys(schemas));
  let isFirst = true;
  try {
    for await (const piece of piecesOf(file)) {
      const elements = scanner.push(isFirst ? blankByteOrderMark(piece) : piece);
      isFirst = false;
      if (elements.length === 0) continue;
      const batch: StreamedRecord<z.output<Schemas[keyof Schemas]>>[] = [];
      for (const element of elements) {
        const schema = schemas[element.array];
        if (schema === undefined) throw notThisKind(file, Object.keys(schemas)[0] ?? '');
        const value = await checkElement(file, element, schema);
        batch.push({ array: element.array, index: element.index, value: value as z.output<Schemas[keyof Schemas]> });
      }
      yield batch;
    }
    scanner.end();
  } catch (error) {
    if (error instanceof ScanError) throw await brokenFile(file, error.offset, error.message, error);
    throw error;
  }
  const missing = Object.keys(schemas).find((key) => !scanner.found.has(key));
  if (missing !== undefined) throw notThisKind(file, missing);
}

/**
 * The elements of a JSON file that is a list, each as it is written there: numbers keep all of their digits.
 *
 * @throws InputError as `streamRecords` does, but for what is within an element
 */
export async function* streamElements(file: string): AsyncGenerator<string> {
  const scanner = new RecordScanner(['']);
  let isFirst = true;
  try {
    for await (const piece of piecesOf(file)) {
      const elements = scanner.push(isFirst ? blankByteOrderMark(piece) : piece);
      isFirst = false;
      for (const { array, bytes } of elements) if (array === '') yield bytes.toString('utf8').trim();
    }
    scanner.end();
  } catch (error) {
    if (error instanceof ScanError) throw await brokenFile(file, error.offset, error.message, error);
    throw error;
  }
  if (!scanner.found.has('')) throw notThisKind(file, '');
}

/** Some editors write a byte order mark at the start of a file. Blanks in its place leave all offsets as they are. */
function blankByteOrderMark(piece: Buffer): Buffer {
  return piece.subarray(0, 3).equals(BYTE_ORDER_MARK) ? piece.fill(0x20, 0, 3) : piece;
}

async function checkElement<S extends z.ZodType>(
  file: string,
  { array, index, bytes, offset }: ElementBytes,
  schema: S,
): Promise<z.output<S>> {
  const text = utf8Text(bytes, { file, field: fieldPath(array === '' ? [index] : [array, index]) });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Parsed again only for line and column.
    const start = await placeInFile(file, offset);
    return parseJson(text, file, schema, start.line, start.column);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { field, problem } = describeFirstIssue(result.error);
  const place = array === '' ? fieldPath([index]) : fieldPath([array, index]);
  throw new InputError({
    file,
    field: `${place}${field === '' || field.startsWith('[') ? field : `.${field}`}`,
    problem,
    remedy: 'Correct this value',
  });
}

async function brokenFile(file: string, offset: number, problem: string, cause: unknown): Promise<InputError> {
  return new InputError(
    {
      file,
      ...(await placeInFile(file, offset)),
      problem: `is not valid JSON: ${problem}`,
      remedy: 'Correct the file here, or download it again if it was cut short',
    },
    { cause },
  );
}

function notThisKind(file: string, array: string): InputError {
  if (array === '')
    return new InputError({ file, problem: 'is not a list', remedy: 'Give a JSON file that is a list' });
  return new InputError({
    file,
    field: array,
    problem: 'is missing',
    remedy: "Give one of COCO's own annotation files, or one like them",
  });
}

/**
 * The line and column, both from 1, of a byte of a UTF-8 file. Reads the file again up to that byte, for error
 * messages only.
 */
async function placeInFile(file: string, offset: number): Promise<{ line: number; column: number }> {
  let line = 1;
  let column = 1;
  if (offset === 0) return { line, column };
  for await (const piece of piecesOf(file, offset - 1)) {
    for (const byte of piece) {
      if (byte === LINE_BREAK) {
        line += 1;
        column = 1;
      } else if ((byte & 0xc0) !== 0x80) {
        // Every byte of UTF-8 except continuation bytes.
        column += 1;
      }
    }
  }
  return { line, column };
}
