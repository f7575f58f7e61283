/** The layouts that benchmarks' files have, as records that are checked one by one. */
import { z } from 'zod';
import { describeFirstIssue, InputError } from '../../core/input-error.ts';
import { readJson } from '../../core/read-json.ts';
import { imageSchema } from '../../datasets/own-questions.ts';
import { streamRecords } from '../../datasets/stream-records.ts';
import { formatOf, rowError, type TableFormat, tableRows } from '../../datasets/tables/index.ts';
import { isFolder } from '../../datasets/tables/shards.ts';
import { isMissing } from '../pandas-missing.ts';
import { readPythonList } from '../python-text.ts';
import { lettered } from './mmbench-file.ts';
import { type Cells, readTsvRows, wholeNumber, wrongCell } from './tsv-rows.ts';
import type { ImagePlace, QuestionRecord, RecordSource } from './written-benchmark.ts';

/** A text, or a number that stands for one. */
export const idText = z.union([z.string().min(1), z.number(), z.bigint()]).transform(String);
export const yesOrNo = z
  .string()
  .transform((text) => text.trim().toLowerCase())
  .pipe(z.enum(['yes', 'no']));
/** An image as `datasets` writes it into Parquet: its bytes, its path, or both. */
export const imageCell = imageSchema;

/** The elements of a list of a JSON file, such as `questions`; the key of a file that is itself a list is ''. */
export async function* listed<S extends z.ZodType>(file: string, key: string, schema: S): AsyncGenerator<z.output<S>> {
  for await (const batch of streamRecords(file, { [key]: schema })) {
    for (const { value } of batch) yield value as z.output<S>;
  }
}

/** The records of a JSON object, each with its key. */
export async function keyed<S extends z.ZodType>(
  file: string,
  schema: S,
): Promise<[key: string, record: z.output<S>][]> {
  return Object.entries(await readJson(file, z.record(z.string(), schema))) as [string, z.output<S>][];
}

/** The rows of JSON, JSON lines or Parquet, one file or a folder of shards. */
export async function* rows<S extends z.ZodType>(file: string, schema: S): AsyncGenerator<z.output<S>> {
  for await (const row of tableRows(file)) {
    // Parquet writes null for no value.
    const parsed = schema.safeParse(Object.fromEntries([...row.values].filter(([, value]) => value !== null)));
    if (!parsed.success) {
      const { field = '', problem } = describeFirstIssue(parsed.error);
      throw rowError(file, row, field, problem);
    }
    yield parsed.data;
  }
}

export async function isTsv(file: string): Promise<boolean> {
  return !(await isFolder(file)) && (await knownFormat(file)) === 'tsv';
}

export async function isParquet(file: string): Promise<boolean> {
  return (await knownFormat(file)) === 'parquet';
}

/** Undefined for a file that is no table, such as one JSON object: its own reader says what is wrong with it. */
async function knownFormat(file: string): Promise<TableFormat | undefined> {
  try {
    return await formatOf(file);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** A row of VLMEvalKit's layout. */
export interface TsvRecord {
  index: string;
  question: string;
  hint?: string | undefined;
  /** Of a question with options: their texts, and the letters of their columns. */
  choices?: string[] | undefined;
  letters?: string[] | undefined;
  /** As the file has it: a letter, a word, a list; undefined in a file without answers. */
  answer?: string | undefined;
  /** The columns that VLMEvalKit reports scores by. */
  groups: Record<string, string>;
  /** All columns but `image`. */
  cells: Cells;
  images: string[];
}

const reportedBy = ['split', 'l2-category', 'category'] as const;

/** All rows of a file of VLMEvalKit's layout. @throws InputError as `readTsvRows` does, or naming line and column */
export async function readTsvFile(source: RecordSource): Promise<TsvRecord[]> {
  const { file, limit, placeOf } = source;
  const keep = (content: Uint8Array) => placeOf({ content });
  const locate = (path: string) => placeOf({ path });
  const found = await readTsvRows({ file, limit, keep, locate }, (cells, line) => parseCells(cells, file, line));
  return found.map(({ row, images }) => ({ ...row, images }));
}

function parseCells({ image, ...cells }: Cells, file: string, line: number): Omit<TsvRecord, 'images'> {
  const cell = (column: string) => {
    const text = cells[column];
    return text === undefined || isMissing(text) ? undefined : text;
  };
  const [index, question] = [cell('index'), cells.question];
  if (index === undefined) throw wrongCell(file, line, 'index', 'is missing');
  if (question === undefined || question === '') throw wrongCell(file, line, 'question', 'is missing');
  if (image === undefined && cells.image_path === undefined) throw wrongCell(file, line, 'image', 'is missing');
  const answer = cells.answer === '' ? undefined : cells.answer;
  const options = lettered(cells, answer);
  const isChoice = options.length > 1;
  if (isChoice && answer !== undefined && !options.some(({ letter }) => letter === answer)) {
    throw wrongCell(file, line, 'answer', `'${answer.slice(0, 100)}' is the letter of no option of this row`);
  }
  return {
    index: wholeNumber(index),
    question,
    hint: cell('hint'),
    ...(isChoice && { choices: options.map(({ text }) => text), letters: options.map(({ letter }) => letter) }),
    answer,
    groups: Object.fromEntries(
      reportedBy.flatMap((column) => (cell(column) ? [[column, cell(column) as string]] : [])),
    ),
    cells,
  };
}

/** A row as a record: with options a question with choices, else one with short answers. */
export function recordOfTsv({
  index,
  question,
  hint,
  choices,
  letters,
  answer,
  groups,
  images,
}: TsvRecord): QuestionRecord {
  const common = { id: index, images, question, groups, ...(hint !== undefined && { context: hint }) };
  if (choices === undefined || letters === undefined) return { ...common, answers: listOfAnswers(answer) };
  return { ...common, choices, letters, ...(answer !== undefined && { correct: letters.indexOf(answer) }) };
}

/** The rows as records. @throws InputError as `readTsvFile` does */
export async function* tsvRecords(source: RecordSource): AsyncGenerator<QuestionRecord> {
  yield* (await readTsvFile(source)).map(recordOfTsv);
}

/** One answer, or a list of them as Python writes it. */
export function listOfAnswers(answer: string | undefined): string[] {
  return answer === undefined ? [] : (readPythonList(answer) ?? [answer]);
}

/** The place of one image, if there is one. */
export async function imageAt({ placeOf }: RecordSource, image: ImagePlace | undefined): Promise<string[]> {
  return image === undefined ? [] : [await placeOf(image)];
}
