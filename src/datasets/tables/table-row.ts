import type { InputProblem } from '../../core/input-error.ts';

/** One row of a file. */
export interface TableRow {
  /** Column → value. A cell of separated text is a text; the others have the types of their format. */
  values: ReadonlyMap<string, unknown>;
  /** Where the row is, for an error: its line, or a field such as `[12]`. */
  place: Pick<InputProblem, 'line' | 'field'>;
}
