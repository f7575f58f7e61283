import { InputError, type InputProblem } from '../../core/input-error.ts';

/** One row of a file. */
export interface TableRow {
  /** Column → value. A cell of separated text is a text; the others have the types of their format. */
  values: ReadonlyMap<string, unknown>;
  /** Where the row is, for an error: its line, or a field such as `[12]`; its shard, where the rows are in several files. */
  place: Partial<Pick<InputProblem, 'file'>> & Pick<InputProblem, 'line' | 'field'>;
}

/** The error of a row: it names shard, line or place, and the column. */
export function rowError(
  file: string,
  { place }: Pick<TableRow, 'place'>,
  column: string,
  problem: string,
): InputError {
  const field = place.field === undefined ? column : `${place.field}.${column}`;
  return new InputError({ file: place.file ?? file, line: place.line, field, problem, remedy: 'Correct this row' });
}

/** Whether a cell has a value: formats write none as null, as an empty text, or not at all. */
export function isThere(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

export function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
