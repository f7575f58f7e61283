/**
 * MMBench's own file (https://github.com/open-compass/MMBench): tab-separated, a question a row, its image in base64.
 */
import { z } from 'zod';
import { keepImage } from '../../core/images/keep-image.ts';
import { describeFirstIssue } from '../../core/input-error.ts';
import { LETTERS } from '../../datasets/question-text.ts';
import { isMissing } from '../pandas-missing.ts';
import { type Cells, readTsvRows, wrongCell } from './tsv-rows.ts';

/** One row: a question, or one of its rotations for CircularEval. */
export interface MmbenchQuestion {
  /** A rotation has the index of the question it belongs to, plus a multiple of `ROTATION_STEP`. */
  index: number;
  question: string;
  hint?: string;
  /** The options that the row has, by their letters. */
  options: { letter: string; text: string }[];
  /** The letter of the right one; test files have none. */
  answer?: string;
  category?: string;
  l2Category?: string;
  split?: string;
  /** Absolute path. */
  image: string;
}

/** Rows whose indices differ by multiples of it are rotations of one question. */
const ROTATION_STEP = 1_000_000;

/** The index of the question that a row is a rotation of. */
export function groupIndex({ index }: Pick<MmbenchQuestion, 'index'>): number {
  return index % ROTATION_STEP;
}

const optionalText = z
  .string()
  .optional()
  .transform((text) => (text === undefined || isMissing(text) ? undefined : text));

const rowSchema = z.looseObject({
  // Some tools write whole numbers with a decimal point.
  index: z
    .string()
    .regex(/^\d+(\.0)?$/, 'must be a whole number')
    .transform(Number),
  question: z.string().min(1),
  image: z.string().min(1),
  hint: optionalText,
  answer: optionalText,
  category: optionalText,
  'l2-category': optionalText,
  split: optionalText,
});

/**
 * Streams a file of MMBench. Images are decoded into a folder under the hash of their content, each once; a row whose
 * image is the index of another row shares that one's.
 *
 * @param options.limit takes only this many questions from the start of the file, each with all its rotations
 * @throws InputError naming the row's line and column, for a file that is not one of MMBench's, was cut short, or refers
 *   to an image that is not there; StorageError when an image can't be written.
 */
export async function readMmbench(
  file: string,
  options: { extractedImages: string; limit?: number | undefined },
): Promise<MmbenchQuestion[]> {
  const keep = (content: Buffer) => keepImage(content, options.extractedImages);
  return readQuestions(file, options.limit, keep);
}

/** Reads a file of MMBench as `readMmbench` does, but writes no images. @throws InputError as that does */
export async function checkMmbench(file: string, limit?: number): Promise<Omit<MmbenchQuestion, 'image'>[]> {
  return readQuestions(file, limit, async () => '');
}

/** @param keep stores an image and returns its path */
async function readQuestions(
  file: string,
  limit: number | undefined,
  keep: (content: Buffer) => Promise<string>,
): Promise<MmbenchQuestion[]> {
  const parse = (cells: Cells, line: number) => {
    const question = parseRow(cells, file, line);
    return { index: String(question.index), question };
  };
  const rows = await readTsvRows({ file, limit, keep }, parse, ({ question }) => groupIndex(question));
  return rows.map(({ row, line, images: [image, another] }) => {
    if (image === undefined || another !== undefined) throw wrongCell(file, line, 'image', 'must be one image');
    return { ...row.question, image };
  });
}

function parseRow(record: Cells, file: string, line: number): Omit<MmbenchQuestion, 'image'> {
  const parsed = rowSchema.safeParse(record);
  if (!parsed.success) {
    const { field, problem } = describeFirstIssue(parsed.error);
    throw wrongCell(file, line, field, problem);
  }
  const { index, question, hint, answer, category, 'l2-category': l2Category, split } = parsed.data;
  const options = lettered(record, answer);
  if (options.length < 2) throw wrongCell(file, line, 'A', 'a question needs at least two options');
  if (answer !== undefined && !options.some(({ letter }) => letter === answer)) {
    throw wrongCell(file, line, 'answer', `'${answer}' is the letter of no option of this row`);
  }
  return { index, question, hint, options, answer, category, l2Category, split };
}

/** The options that a row has, by their letters. */
export function lettered(record: Cells, answer: string | undefined): { letter: string; text: string }[] {
  return LETTERS.flatMap((letter) => {
    const text = record[letter];
    return text !== undefined && isOption(text, letter === answer) ? [{ letter, text }] : [];
  });
}

/**
 * `None` is a word: so read pandas before 2.0, with which OpenCompass asked MMBench's questions. Newer ones take it for
 * missing, which exact matching follows. What every pandas takes for missing is an option only where it is the answer.
 */
function isOption(text: string, isAnswer: boolean): boolean {
  return text === 'None' || !isMissing(text) || (isAnswer && text !== '');
}
