/** Answers that people have labelled: a judge is compared with them. */
import { z } from 'zod';
import { describeFirstIssue, InputError } from '../../core/input-error.ts';
import { isThere, rowError, tableRows } from '../../datasets/tables/index.ts';

/** An answer to a question, and whether a person called it right. */
export interface LabelledAnswer {
  question: string;
  references: string[];
  answer: string;
  isRight: boolean;
}

const mostAnswers = 100_000;

const text = z
  .union([z.string(), z.number(), z.bigint()], 'must be a text or a number')
  .transform(String)
  .pipe(z.string().trim().min(1, 'is empty').max(20_000, 'is longer than 20,000 characters'));
const texts = z.preprocess(
  (value) => (typeof value === 'string' && value.trimStart().startsWith('[') ? parsed(value) : value),
  z.union(
    [z.array(text).min(1, 'has no right answer').max(1000), text.transform((one) => [one])],
    'must be a right answer or a list of them',
  ),
);
const labels: ReadonlyMap<string, boolean> = new Map([
  ...['1', 'true', 'yes', 'right'].map((word): [string, boolean] => [word, true]),
  ...['0', 'false', 'no', 'wrong'].map((word): [string, boolean] => [word, false]),
]);
const label = z.unknown().transform((value, context): boolean => {
  const found = labels.get(String(value).trim().toLowerCase());
  if (found !== undefined) return found;
  context.addIssue({ code: 'custom', message: `must be one of ${[...labels.keys()].join(', ')}` });
  return z.NEVER;
});

function parsed(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/**
 * Reads labelled answers from JSON, JSON lines, comma- or tab-separated text or Parquet: the columns `question`, `references`
 * (a right answer, or a list of them), `answer` and `right`.
 *
 * @throws InputError naming the row and column of what does not fit; or for a file without rows
 */
export async function readLabelledAnswers(file: string): Promise<LabelledAnswer[]> {
  const answers: LabelledAnswer[] = [];
  for await (const row of tableRows(file)) {
    const cell = <S extends z.ZodType>(column: string, schema: S): z.output<S> => {
      const value = row.values.get(column);
      if (!isThere(value)) throw rowError(file, row, column, 'is missing');
      const read = schema.safeParse(value);
      if (read.success) return read.data;
      const { field, problem } = describeFirstIssue(read.error);
      throw rowError(file, row, `${column}${field}`, problem);
    };
    if (answers.length === mostAnswers) {
      throw new InputError({ file, problem: `has more than ${mostAnswers} rows`, remedy: 'Take fewer' });
    }
    answers.push({
      question: cell('question', text),
      references: cell('references', texts),
      answer: cell('answer', text),
      isRight: cell('right', label),
    });
  }
  if (answers.length > 0) return answers;
  throw new InputError({ file, problem: 'has no labelled answers', remedy: 'Name a file with at least one' });
}
