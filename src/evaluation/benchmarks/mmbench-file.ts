/**
 * MMBench's own file (https://github.com/open-compass/MMBench): tab-separated, a question a row, its image in base64.
 */
import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { z } from 'zod';
import { decodeBase64 } from '../../core/base64.ts';
import { keepImage } from '../../core/images/keep-image.ts';
import { describeFirstIssue, InputError } from '../../core/input-error.ts';
import { piecesOf } from '../../core/regular-file.ts';
import { LETTERS } from '../../datasets/question-text.ts';
import { isMissing } from '../pandas-missing.ts';

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

/** An image in base64 is never as short; what is, is the index of the row that has the image. */
const LONGEST_REFERENCE = 64;
const LARGEST_ROW = 256 * 1024 * 1024;

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
  limit = Number.POSITIVE_INFINITY,
  keep: (content: Buffer) => Promise<string>,
): Promise<MmbenchQuestion[]> {
  const groups = new Set<number>();
  /** Index → its image, or the index of the row that has it. */
  const images = new Map<number, { file: string } | { sameAs: string }>();
  const questions: { question: Omit<MmbenchQuestion, 'image'>; line: number }[] = [];
  for await (const { record, line } of rowsOf(file)) {
    const { cell, ...question } = parseRow(record, file, line);
    if (images.has(question.index)) throw wrong(file, line, 'index', `${question.index} is there twice`);
    // Also for rows beyond the limit: others may refer to them.
    const isReference = cell.length <= LONGEST_REFERENCE;
    const image = isReference ? { sameAs: cell } : { file: await keep(decodeImage(cell, file, line)) };
    images.set(question.index, image);
    const group = groupIndex(question);
    if (!groups.has(group) && groups.size >= limit) continue;
    groups.add(group);
    questions.push({ question, line });
  }
  const imageOf = (index: number, line: number): string => {
    const seen = new Set<number>();
    for (let at = index; ; ) {
      const image = images.get(at);
      if (image !== undefined && 'file' in image) return image.file;
      if (image === undefined || seen.has(at)) {
        const problem = `the image of ${index} is said to be that of ${at}, which has none`;
        throw wrong(file, line, 'image', problem);
      }
      seen.add(at);
      at = Number(image.sameAs);
    }
  };
  if (questions.length === 0) throw wrong(file, 1, undefined, 'has no questions');
  return questions.map(({ question, line }) => ({ ...question, image: imageOf(question.index, line) }));
}

async function* rowsOf(file: string): AsyncGenerator<{ record: Record<string, string>; line: number }> {
  const parser = Readable.from(piecesOf(file), { objectMode: false })
    .on('error', (error) => parser.destroy(error))
    .pipe(
      parse({
        delimiter: '\t',
        columns: true,
        bom: true,
        info: true,
        // A quote inside a value is a quote, as pandas reads it.
        relax_quotes: true,
        skip_empty_lines: true,
        max_record_size: LARGEST_ROW,
      }),
    );
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: Record<string, string>;
      info: { lines: number };
    }>) {
      yield { record, line: info.lines };
    }
  } catch (cause) {
    throw explain(file, cause);
  }
}

function explain(file: string, cause: unknown): unknown {
  if (cause instanceof CsvError) {
    const line = typeof cause.lines === 'number' ? cause.lines : undefined;
    const problem = `is not a tab-separated file of MMBench, or was cut short: ${cause.message.split('\n')[0]}`;
    return new InputError({ file, line, problem, remedy: 'Download the file again' }, { cause });
  }
  return cause;
}

function parseRow(
  record: Record<string, string>,
  file: string,
  line: number,
): Omit<MmbenchQuestion, 'image'> & { cell: string } {
  const parsed = rowSchema.safeParse(record);
  if (!parsed.success) {
    const { field, problem } = describeFirstIssue(parsed.error);
    throw wrong(file, line, field, problem);
  }
  const { index, question, image, hint, answer, category, 'l2-category': l2Category, split } = parsed.data;
  const options = LETTERS.flatMap((letter) => {
    const text = record[letter];
    return text !== undefined && isOption(text, letter === answer) ? [{ letter, text }] : [];
  });
  if (options.length < 2) throw wrong(file, line, 'A', 'a question needs at least two options');
  if (answer !== undefined && !options.some(({ letter }) => letter === answer)) {
    throw wrong(file, line, 'answer', `'${answer}' is the letter of no option of this row`);
  }
  return { index, question, cell: image, hint, options, answer, category, l2Category, split };
}

/**
 * `None` is a word: so read pandas before 2.0, with which OpenCompass asked MMBench's questions. Newer ones take it for
 * missing, which exact matching follows. What every pandas takes for missing is an option only where it is the answer.
 */
function isOption(text: string, isAnswer: boolean): boolean {
  return text === 'None' || !isMissing(text) || (isAnswer && text !== '');
}

function decodeImage(cell: string, file: string, line: number): Buffer {
  const content = decodeBase64(cell);
  if (content === undefined) throw wrong(file, line, 'image', 'is not base64');
  return content;
}

function wrong(file: string, line: number, field: string | undefined, problem: string): InputError {
  return new InputError({ file, line, field, problem, remedy: 'Correct this row, or download the file again' });
}
