/**
 * MMMU (arXiv 2311.16502; https://github.com/MMMU-Benchmark/MMMU), the validation split: questions of 30 subjects, some with
 * several images. Prompt and evaluation are its own.
 */
import { z } from 'zod';
import { InputError } from '../../core/input-error.ts';
import { LETTERS } from '../../datasets/question-text.ts';
import { readPythonList } from '../python-text.ts';
import { isMmmuAnswer, readMmmuLetter } from './mmmu-answers.ts';
import { idText, imageCell, isTsv, listOfAnswers, readTsvFile, recordOfTsv, rows } from './record-files.ts';
import {
  answerOf,
  type QuestionRecord,
  type RecordSource,
  rightLetter,
  type WrittenAnswer,
  writtenBenchmark,
} from './written-benchmark.ts';

const domains: Readonly<Record<string, readonly string[]>> = {
  'Art and Design': ['Art', 'Art_Theory', 'Design', 'Music'],
  Business: ['Accounting', 'Economics', 'Finance', 'Manage', 'Marketing'],
  Science: ['Biology', 'Chemistry', 'Geography', 'Math', 'Physics'],
  'Health and Medicine': [
    ...[
      'Basic_Medical_Science',
      'Clinical_Medicine',
      'Diagnostics_and_Laboratory_Medicine',
      'Pharmacy',
      'Public_Health',
    ],
  ],
  'Humanities and Social Science': ['History', 'Literature', 'Sociology', 'Psychology'],
  'Tech and Engineering': [
    ...['Agriculture', 'Architecture_and_Engineering', 'Computer_Science', 'Electronics', 'Energy_and_Power'],
    ...['Materials', 'Mechanical_Engineering'],
  ],
};

export const mmmu = writtenBenchmark({
  title: 'MMMU',
  downloads: {
    MMMU: 'Download the validation files of MMMU/MMMU (Parquet) or MMMU_DEV_VAL.tsv of VLMEvalKit into MMMU',
  },
  ranks: true,
  maximumNewTokens: 128,
  words({ question, choices, letters = LETTERS }) {
    if (choices === undefined) return `${question}\nAnswer the question using a single word or phrase.`;
    const listed = choices.map((choice, index) => `(${letters[index]}) ${choice}\n`).join('');
    return `${question}\n${listed}\nAnswer with the option's letter from the given choices directly.`;
  },

  async *read(source) {
    if (await isTsv(source.file)) yield* readTsv(source);
    else yield* readRows(source);
  },

  score: (answered) => ({
    accuracy: answered.map((one) => ({
      id: one.question.id,
      score: isMmmuRight(one) ? 1 : 0,
      ...(one.question.groups && { groups: one.question.groups }),
    })),
  }),
});

function isMmmuRight(one: WrittenAnswer): boolean {
  const { choices, letters = LETTERS, answers = [] } = one.question;
  const answer = answerOf(one);
  if (choices === undefined) return isMmmuAnswer(answer, answers);
  return readMmmuLetter(answer, letters.slice(0, choices.length), choices) === rightLetter(one.question);
}

const imageColumns = Array.from({ length: 7 }, (_, index) => `image_${index + 1}` as const);

const rowSchema = z
  .looseObject({
    id: z.string().min(1),
    question: z.string().min(1),
    options: z
      .union([z.array(z.string()), z.string()])
      .transform((value) => (typeof value === 'string' ? readPythonList(value) : value))
      .refine((list) => list !== undefined, 'is no list as Python writes one'),
    answer: idText.optional(),
    question_type: z.enum(['multiple-choice', 'open']),
  })
  .refine(({ options = [], question_type: type }) => type === 'open' || options.length > 1, {
    path: ['options'],
    message: 'must have at least two choices',
  })
  .refine(
    ({ options = [], question_type: type, answer }) =>
      type === 'open' || knownAnswer(answer) === undefined || LETTERS.indexOf(answer ?? '') < options.length,
    { path: ['answer'], message: 'is the letter of no choice' },
  );

async function* readRows(source: RecordSource): AsyncGenerator<QuestionRecord> {
  for await (const row of rows(source.file, rowSchema)) {
    const { id, question, options = [], answer, question_type: type } = row;
    const [words, isOpen] = [[question, ...options].join('\n'), type === 'open'];
    // Only those that the words show, in the order of their numbers; official questions are about the first one at least.
    const shown = imageColumns.filter((column) => words.includes(`<${column.replace('_', ' ')}>`));
    const columns = shown.length === 0 ? imageColumns.slice(0, 1) : shown;
    const cells = columns.map((column) => {
      const { data: cell, error } = imageCell.safeParse(row[column]);
      if (cell !== undefined) return cell;
      const problem = `question ${id}: ${error?.issues[0]?.message}`;
      throw new InputError({ file: source.file, field: column, problem, remedy: 'Download the file again' });
    });
    yield {
      id,
      images: await Promise.all(cells.map(source.placeOf)),
      question,
      ...(isOpen ? { answers: listOfAnswers(knownAnswer(answer)) } : { choices: options, ...rightOf(answer) }),
      groups: groupsOf(/^[a-z]+_(.+)_\d+$/.exec(id)?.[1]),
    };
  }
}

/** Test files have `?`. */
function knownAnswer(answer: string | undefined): string | undefined {
  return answer === '?' ? undefined : answer;
}

function rightOf(answer: string | undefined): { correct?: number } {
  const correct = LETTERS.indexOf(answer ?? '');
  return correct < 0 ? {} : { correct };
}

function groupsOf(subject: string | undefined): Record<string, string> {
  if (subject === undefined) return {};
  const domain = Object.keys(domains).find((name) => domains[name]?.includes(subject));
  return { ...(domain && { domain }), subject };
}

/** The questions of validation, of a file that may also have those of `dev`; `category` is the subject. */
async function* readTsv(source: RecordSource): AsyncGenerator<QuestionRecord> {
  for (const row of await readTsvFile({ ...source, limit: undefined })) {
    if (row.groups.split === 'dev') continue;
    const { groups: _, ...record } = recordOfTsv(row);
    yield { ...record, groups: groupsOf(row.groups.category?.replaceAll(' ', '_')) };
  }
}
