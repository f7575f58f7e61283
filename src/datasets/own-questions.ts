/** Questions of your own about images of your own: a row each, with choices or with short answers. */
import { z } from 'zod';
import { describeFirstIssue, InputError } from '../core/input-error.ts';
import { innerPath } from '../core/inside.ts';
import { LETTERS } from './question-text.ts';
import { RowNumbers } from './row-numbers.ts';
import { isEmptyList, isThere, rowError, type TableFormat, type TableRow, tableRows } from './tables/index.ts';

/** The names that a column may have, the first one that a row has counts; a config may give another. */
const columnNames = {
  id: ['id', 'question_id', 'index'],
  image: ['image', 'image_path', 'image_file'],
  question: ['question'],
  choices: ['choices'],
  answers: ['answers', 'answer'],
  correct: ['correct_choice_idx'],
  rationales: ['rationales'],
  type: ['question_type', 'type'],
} as const;

export type QuestionColumn = keyof typeof columnNames;

export const questionColumns = Object.keys(columnNames) as [QuestionColumn, ...QuestionColumn[]];

/** Where a question's image is: a path within the folder of images, or the image itself. */
export type ImageOfQuestion = { path: string } | { content: Uint8Array };

export interface OwnQuestion {
  /** Unique within the file. */
  id: string;
  image: ImageOfQuestion;
  question: string;
  /** Two to 26; none for a question with short answers. */
  choices?: string[];
  /** Index of the right choice. */
  correct?: number;
  /** Why that one is right; of a question with choices. */
  rationales?: string[];
  /** References, at least one; none for a question with choices. */
  answers?: string[];
  type?: string;
}

export interface OwnQuestionsSource {
  file: string;
  format?: TableFormat | undefined;
  columns?: Partial<Record<QuestionColumn, string>> | undefined;
  limit?: number | undefined;
  /** Leaves rows that do not fit out. */
  skipInvalid?: boolean | undefined;
  /** Called with the reason for each row that is left out. */
  onLeftOut?: ((reason: string) => void) | undefined;
}

/**
 * Reads questions as `readQuestionRows` does, all at once.
 *
 * @throws InputError as that does, or when there are none
 */
export async function readOwnQuestions(source: OwnQuestionsSource): Promise<OwnQuestion[]> {
  const questions: OwnQuestion[] = [];
  for await (const question of readQuestionRows(source)) questions.push(question);
  return questions;
}

/**
 * Reads questions from JSON, JSON lines, comma- or tab-separated text or Parquet (docs/data.md), one after another.
 *
 * @throws InputError naming the row and column of what does not fit, unless such rows are to be skipped; or for a file
 *   without questions
 */
export async function* readQuestionRows(source: OwnQuestionsSource): AsyncGenerator<OwnQuestion> {
  const { file, format, columns = {}, limit, skipInvalid = false, onLeftOut } = source;
  const rows = new RowNumbers();
  const unseen = new Set(Object.values(columns));
  let number = 0;
  for await (const row of tableRows(file, format)) {
    number += 1;
    for (const column of unseen) if (row.values.has(column)) unseen.delete(column);
    if (rows.size === limit) break;
    const cell = (column: QuestionColumn) => {
      const named = columns[column];
      return cellOf(row, named === undefined ? columnNames[column] : [named]);
    };
    let question: OwnQuestion;
    try {
      question = questionOf(file, row, cell, String(number));
      const earlier = rows.add(question.id, number);
      if (earlier !== undefined) {
        throw rowError(file, row, cell('id').column, `'${question.id}' is also the id of row ${earlier}`);
      }
    } catch (error) {
      if (!skipInvalid || !(error instanceof InputError)) throw error;
      onLeftOut?.(reasonOf(error));
      continue;
    }
    yield question;
  }
  const [absent] = rows.size === limit ? [] : unseen;
  if (absent !== undefined) {
    const remedy = 'Correct its name';
    throw new InputError({ file, field: absent, problem: 'no row has a value in this column', remedy });
  }
  if (rows.size > 0) return;
  throw new InputError({ file, problem: 'has no questions', remedy: 'Name a file with at least one' });
}

/** Without what differs from row to row. */
function reasonOf({ field = '', problem }: InputError): string {
  const column = field.replace(/^.*\]\./, '');
  return `${column}: ${problem.replace(/'.*'/, '…')}`;
}

interface Cell {
  /** The column's name; that of the first choice of names where the row has none. */
  column: string;
  /** Undefined where there is none. */
  value: unknown;
}

function cellOf({ values }: TableRow, names: readonly string[]): Cell {
  const column = names.find((name) => isThere(values.get(name))) ?? (names[0] as string);
  const value = values.get(column);
  return { column, value: isThere(value) ? value : undefined };
}

function questionOf(file: string, row: TableRow, cell: (column: QuestionColumn) => Cell, number: string): OwnQuestion {
  const read = <S extends z.ZodType>({ column, value }: Cell, schema: S): z.output<S> => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const { field, problem } = describeFirstIssue(parsed.error);
    throw rowError(file, row, `${column}${field}`, problem);
  };
  for (const medium of ['video', 'audio']) {
    if (isThere(row.values.get(medium)))
      throw rowError(file, row, medium, `${medium} is not supported: questions are about images`);
  }
  const id = cell('id');
  const type = cell('type');
  const common = {
    id: id.value === undefined ? number : read(id, textSchema),
    image: read(cell('image'), imageSchema),
    question: read(cell('question'), textSchema),
    ...(type.value !== undefined && { type: read(type, textSchema) }),
  };
  const choices = choicesOf(row, cell('choices'), read);
  const answers = cell('answers');
  if (choices === undefined) {
    if (answers.value === undefined) throw rowError(file, row, answers.column, 'is missing, and there are no choices');
    return { ...common, answers: read(answers, answersSchema) };
  }
  const { texts } = choices;
  const place = cell('correct');
  const correct =
    answers.value === undefined && place.value !== undefined
      ? read(place, placeSchemas[texts.length] as (typeof placeSchemas)[number])
      : correctOf(file, row, answers, texts);
  const rationales = cell('rationales');
  return {
    ...common,
    choices: texts,
    correct,
    ...(rationales.value !== undefined && { rationales: read(rationales, rationalesSchema) }),
  };
}

/** Numbers as JSON, Parquet and a table write them. */
const textSchema = z
  .union([z.string(), z.number(), z.bigint(), z.boolean()], 'must be a text or a number')
  .transform(String)
  .pipe(z.string().trim().min(1, 'is empty'));

/** A cell of separated text holds a list as JSON. */
const listSchema = <S extends z.ZodType>(items: S) =>
  z.preprocess(
    (value) => (typeof value === 'string' && value.trimStart().startsWith('[') ? parsedList(value) : value),
    items,
  );

function parsedList(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** An object is its JSON. */
const answerSchema = z.union([
  textSchema,
  z.record(z.string(), z.unknown()).transform((value) => JSON.stringify(value)),
]);

const answersSchema = listSchema(
  z.union(
    [z.array(answerSchema).min(1, 'has no answer'), answerSchema.transform((text) => [text])],
    'must be an answer or a list of answers',
  ),
);
const rationalesSchema = listSchema(z.array(z.string(), 'must be a list of texts'));
/** Schemas are made once: making one takes far longer than reading a row by it. */
const placeSchemas = Array.from({ length: LETTERS.length + 1 }, (_, choices) => placeSchemaFor(choices));

/** The place of a choice among so many, from 0, as A-OKVQA has it; a table has it as a text. */
function placeSchemaFor(choices: number) {
  return z
    .unknown()
    .transform((value) => (typeof value === 'string' ? Number(value.trim() || Number.NaN) : Number(value)))
    .pipe(
      z.int('must be the place of a choice, from 0').refine((place) => place >= 0 && place < choices, {
        error: ({ input }) => `is ${String(input)}, but the choices are 0 to ${choices - 1}`,
      }),
    );
}
const choicesSchema = listSchema(
  z
    .array(textSchema, 'must be a list of choices')
    .min(2, 'must have at least two choices')
    .max(LETTERS.length, `must have at most ${LETTERS.length} choices`),
);

/** What `datasets` writes for an image: its bytes, its path, or both. */
export const imageSchema = z.unknown().transform((value, context): ImageOfQuestion => {
  const { bytes = value, path = value } = (typeof value === 'object' ? value : {}) as {
    bytes?: unknown;
    path?: unknown;
  };
  if (bytes instanceof Uint8Array) return { content: bytes };
  if (value === undefined) {
    context.addIssue({ code: 'custom', message: 'is missing' });
    return z.NEVER;
  }
  const problem = typeof path === 'string' ? problemOfPath(path) : 'must be the path of an image, or its bytes';
  if (problem === undefined) return { path: path as string };
  context.addIssue({ code: 'custom', message: problem });
  return z.NEVER;
});

function problemOfPath(path: string): string | undefined {
  const scheme = /^(https?|data|s3|gs|hf|file):/i.exec(path)?.[1];
  if (scheme === undefined) return innerPath.safeParse(path).error?.issues[0]?.message;
  return `is a ${scheme.toLowerCase()} address: download the image, and give its path within the folder of images`;
}

function choicesOf(
  { values }: TableRow,
  choices: Cell,
  read: <S extends z.ZodType>(cell: Cell, schema: S) => z.output<S>,
): { texts: string[] } | undefined {
  if (choices.value !== undefined && !isEmptyList(choices.value)) return { texts: read(choices, choicesSchema) };
  // As VLMEvalKit's tables have them: a column for each letter.
  const letters = LETTERS.slice(0, LETTERS.findLastIndex((letter) => isThere(values.get(letter))) + 1);
  if (letters.length === 0) return undefined;
  const texts = letters.map((letter) => read({ column: letter, value: values.get(letter) }, textSchema));
  return { texts: read({ column: 'A', value: texts }, choicesSchema) };
}

/** The right choice by its words, else by its letter. A text that is both, of two choices, is refused. */
function correctOf(file: string, row: TableRow, { column, value }: Cell, choices: readonly string[]): number {
  if (value === undefined) throw rowError(file, row, column, 'is missing');
  const parsed = textSchema.safeParse(Array.isArray(value) && value.length === 1 ? value[0] : value);
  if (!parsed.success) throw rowError(file, row, column, 'must be the one right choice, by its words or its letter');
  const byWords = choices.indexOf(parsed.data);
  const byLetter = LETTERS.slice(0, choices.length).indexOf(parsed.data);
  if (byWords >= 0 && byLetter >= 0 && byWords !== byLetter) {
    throw rowError(file, row, column, `'${parsed.data}' is the words of one choice and the letter of another`);
  }
  if (byWords < 0 && byLetter < 0) {
    throw rowError(file, row, column, `'${parsed.data.slice(0, 100)}' is neither a choice nor the letter of one`);
  }
  return Math.max(byWords, byLetter);
}
