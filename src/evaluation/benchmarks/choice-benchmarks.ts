/** Benchmarks of multiple choice whose answers are letters, each read by its authors' rule. */
import { z } from 'zod';
import { requireShape } from '../../core/read-json.ts';
import { LETTERS } from '../../datasets/question-text.ts';
import { strip } from '../python-text.ts';
import { extractLetter, isAi2dLetter, isMmstarLetter, isScienceQaLetter } from './choice-rules.ts';
import { idText, imageAt, imageCell, isParquet, isTsv, keyed, rows, tsvRecords } from './record-files.ts';
import {
  type QuestionRecord,
  type RecordSource,
  rightLetter,
  scoreEach,
  type WrittenDefinition,
  type WrittenQuestion,
  writtenBenchmark,
} from './written-benchmark.ts';

const answerWithLetter = "Answer with the option's letter from the given choices directly.";

/** `A. cat`, a line each. */
function lettered({ choices = [], letters = LETTERS }: Pick<QuestionRecord, 'choices' | 'letters'>): string {
  return choices.map((choice, index) => `${letters[index]}. ${choice}`).join('\n');
}

/** Accuracy of the letters of the right choices by a rule. */
const accuracyBy =
  (isLetter: (answer: string, right: string) => boolean): WrittenDefinition['score'] =>
  (answered) => ({ accuracy: scoreEach(answered, (question, answer) => isLetter(answer, rightLetter(question))) });

/** Texts of choices, also as numbers. */
const choicesSchema = z.array(idText).min(2, 'must have at least two choices').max(LETTERS.length);

/** ScienceQA (arXiv 2209.09513; https://github.com/lupantech/ScienceQA), the questions of a split that have an image. */
export const scienceQa = writtenBenchmark({
  title: 'ScienceQA (images)',
  downloads: {
    ScienceQA: 'Download data/scienceqa and the images as github.com/lupantech/ScienceQA says, into ScienceQA',
  },
  ranks: true,
  maximumNewTokens: 16,
  words({ context, question, choices, letters }) {
    const before = context === undefined ? '' : `Context: ${context}\n`;
    return `${before}${question}\n${lettered({ choices, letters })}\n${answerWithLetter}`;
  },
  async *read(source) {
    if (await isTsv(source.file)) yield* tsvRecords(source);
    else if (await isParquet(source.file)) yield* scienceQaRows(source);
    else yield* scienceQaProblems(source);
  },
  score: accuracyBy(isScienceQaLetter),
});

const problemSchema = z
  .object({
    question: z.string().min(1),
    choices: choicesSchema,
    // `datasets` writes whole numbers of Python as 64 bits.
    answer: z.union([z.number(), z.bigint().transform(Number)]).pipe(z.int().nonnegative()),
    hint: z.string(),
    grade: z.string(),
    subject: z.string(),
    topic: z.string(),
  })
  .refine(({ answer, choices }) => answer < choices.length, { path: ['answer'], message: 'is the place of no choice' });

const splitOfTest = 'test';

const anyProblem = z.looseObject({ split: z.string(), image: z.string().nullable() });

/** `problems.json`: problems by their ids; the image of one is `<images>/test/<id>/<image>`. */
async function* scienceQaProblems(source: RecordSource): AsyncGenerator<QuestionRecord> {
  for (const [id, problem] of await keyed(source.file, anyProblem)) {
    if (problem.split !== splitOfTest || problem.image === null) continue;
    const read = requireShape({ [id]: problem }, source.file, z.record(z.string(), problemSchema))[id];
    const images = await imageAt(source, { path: `${splitOfTest}/${id}/${problem.image}` });
    if (read !== undefined) yield scienceQaRecord(id, read, images);
  }
}

async function* scienceQaRows(source: RecordSource): AsyncGenerator<QuestionRecord> {
  const schema = z.intersection(
    problemSchema,
    z.object({ image: imageCell.optional() }).transform(({ image }) => ({ image })),
  );
  let number = 0;
  for await (const row of rows(source.file, schema)) {
    number += 1;
    if (row.image !== undefined) yield scienceQaRecord(String(number), row, await imageAt(source, row.image));
  }
}

function scienceQaRecord(id: string, problem: z.output<typeof problemSchema>, images: string[]): QuestionRecord {
  const { question, choices, answer, hint, grade, subject, topic } = problem;
  const year = Number(/^grade(\d+)$/.exec(grade)?.[1] ?? Number.NaN);
  const grades = year <= 6 ? '1 to 6' : year <= 12 ? '7 to 12' : undefined;
  return {
    id,
    images,
    question,
    choices,
    correct: answer,
    ...(hint !== '' && { context: hint }),
    groups: { subject, ...(grades && { grade: grades }), context: hint === '' ? 'image' : 'text and image', topic },
  };
}

/** MMStar (arXiv 2403.20330; https://github.com/MMStar-Benchmark/MMStar), whose questions list their choices themselves. */
export const mmstar = writtenBenchmark({
  title: 'MMStar',
  downloads: { MMStar: 'Download mmstar.parquet as github.com/MMStar-Benchmark/MMStar says, into MMStar' },
  ranks: true,
  maximumNewTokens: 128,
  words({ question, choices = [], letters = LETTERS }) {
    const isListed = /Options:/.test(question);
    const list = choices.map((choice, index) => `${letters[index]}: ${choice}`).join(', ');
    return `${strip(question)}${isListed ? '' : `\nOptions: ${list}`}\n${answerWithLetter.slice(0, -1)}`;
  },
  async *read(source) {
    if (await isTsv(source.file)) yield* tsvRecords(source);
    else yield* mmstarRows(source);
  },
  score: accuracyBy(isMmstarLetter),
});

const mmstarSchema = z.object({
  index: idText,
  question: z.string().min(1),
  image: imageCell,
  answer: z.enum(['A', 'B', 'C', 'D']),
  category: z.string().min(1),
  l2_category: z.string().min(1),
});

async function* mmstarRows(source: RecordSource): AsyncGenerator<QuestionRecord> {
  for await (const row of rows(source.file, mmstarSchema)) {
    const { index, question, image, answer, category, l2_category: ability } = row;
    yield {
      id: index,
      images: await imageAt(source, image),
      question,
      choices: ['A', 'B', 'C', 'D'].map((letter) => listedChoice(question, letter)),
      correct: LETTERS.indexOf(answer),
      groups: { category, ability: `${category} (${ability})` },
    };
  }
}

/** The words behind a letter in `Options: A: cat, B: dog`; the letter itself where the question does not list it so. */
function listedChoice(question: string, letter: string): string {
  const [, words] = new RegExp(`\\b${letter}: (.*?)(?:,? [B-D]: |\\.?\\s*$)`, 's').exec(question) ?? [];
  return words === undefined || words === '' ? letter : words;
}

/** AI2D (arXiv 1603.07396), with the letters drawn into the diagrams, as lmms-eval and VLMEvalKit have it. */
export const ai2d = writtenBenchmark({
  title: 'AI2D',
  downloads: { AI2D: 'Download lmms-lab/ai2d (Parquet) or AI2D_TEST.tsv of VLMEvalKit into AI2D' },
  ranks: true,
  maximumNewTokens: 16,
  words: ({ question, choices, letters }) => `${question}\n${lettered({ choices, letters })}\n${answerWithLetter}`,
  async *read(source) {
    if (await isTsv(source.file)) yield* tsvRecords(source);
    else yield* ai2dRows(source);
  },
  score: accuracyBy(isAi2dLetter),
});

const ai2dSchema = z
  .object({
    question: z.string().min(1),
    options: choicesSchema,
    answer: z.union([z.string(), z.number(), z.bigint()]).transform(Number),
    image: imageCell,
  })
  .refine(({ answer, options }) => options[answer] !== undefined, {
    path: ['answer'],
    message: 'is the place of no choice',
  });

async function* ai2dRows(source: RecordSource): AsyncGenerator<QuestionRecord> {
  let number = 0;
  for await (const { question, options, answer, image } of rows(source.file, ai2dSchema)) {
    number += 1;
    yield { id: String(number), images: await imageAt(source, image), question, choices: options, correct: answer };
  }
}

const onlyLetter = 'Please answer directly with only the letter of the correct option and nothing else.';

/** RealWorldQA (x.ai, 2024), whose questions list their choices and say how they are to be answered. */
export const realWorldQa = writtenBenchmark({
  title: 'RealWorldQA',
  downloads: {
    RealWorldQA: 'Download xai-org/RealworldQA (Parquet) or RealWorldQA.tsv of VLMEvalKit into RealWorldQA',
  },
  maximumNewTokens: 16,
  words({ question, choices, letters }) {
    const listed = choices === undefined ? question : `${question}\n${lettered({ choices, letters })}\n${onlyLetter}`;
    return strip(listed);
  },
  async *read(source) {
    if (await isTsv(source.file)) return yield* tsvRecords(source);
    let number = 0;
    for await (const { question, answer, image } of rows(source.file, realWorldSchema)) {
      number += 1;
      yield { id: String(number), images: await imageAt(source, image), question, answers: [answer] };
    }
  },
  score: (answered) => ({
    accuracy: scoreEach(answered, (question, answer) => isRealWorldAnswer(answer, realWorldReference(question))),
  }),
});

const realWorldSchema = z.object({ question: z.string().min(1), answer: idText, image: imageCell });

function realWorldReference({ choices, answers = [], ...question }: WrittenQuestion): string {
  return choices === undefined ? (answers[0] as string) : rightLetter(question);
}

const fourLetters = ['A', 'B', 'C', 'D'];

/** A letter by lmms-eval's rules where the reference is one of the four; else the same text but for case and a last period. */
function isRealWorldAnswer(answer: string, reference: string): boolean {
  const wanted = strip(reference);
  if (fourLetters.includes(wanted.toUpperCase())) return extractLetter(answer, fourLetters) === wanted.toUpperCase();
  return strip(answer.toLowerCase()).replace(/\.+$/, '') === wanted.toLowerCase();
}
