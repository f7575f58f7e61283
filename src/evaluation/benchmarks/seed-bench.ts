/**
 * SEED-Bench, image part (arXiv 2307.16125), by its official answer ranking: the question alone is shown, and the choice
 * wins whose content is most likely by the model (lowest mean loss of its tokens).
 */
import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../core/input-error.ts';
import { innerPath, joinInside } from '../../core/inside.ts';
import { writeJsonLines } from '../../core/write-file.ts';
import { layoutName, readLayout } from '../../datasets/known-layouts.ts';
import { listedQuestion } from '../../datasets/question-text.ts';
import { type Benchmark, requireImageFolder } from './benchmark.ts';

export type SeedBenchItem = SeedBenchQuestion & { id: string; image: string };

const resultsFile = 'results.json';
const letters = ['A', 'B', 'C', 'D'] as const;

export const seedBench: Benchmark<SeedBenchItem> = {
  title: 'SEED-Bench (image)',
  answerModes: ['ranked'],
  officialFiles: { folder: 'SEED-Bench', extension: '.json' },
  downloads: {
    'SEED-Bench': 'Download SEED-Bench.json and its images as github.com/AILab-CVC/SEED-Bench says, into SEED-Bench',
  },

  async read(source) {
    const { file, limit } = source;
    const images = requireImageFolder(source);
    const questions = (await readSeedBench(file)).slice(0, limit);
    return questions.map((question) => ({
      ...question,
      id: question.questionId,
      image: joinInside(images, question.dataId, file),
    }));
  },

  ask: ({ question, choices }) => ({ question: listedQuestion(question), answerStart: '', answers: [...choices] }),

  content: ({ question, choices }) => ({ question, choices }),

  score: (answered) => ({
    accuracy: answered.map(({ question, choice }) => ({
      id: question.id,
      score: choice === question.correct ? 1 : 0,
      groups: { dimension: question.dimension },
    })),
  }),

  // One object a line under this name: what the official evaluation writes, and the leaderboard takes.
  async write(answered, folder) {
    const lines = answered.map(({ question, choice }) => ({
      question_id: question.questionId,
      prediction: choice === undefined ? '' : letters[choice],
    }));
    await writeJsonLines(join(folder, resultsFile), lines);
    return [resultsFile];
  },
};

const questionSchema = z.object({
  question_id: z.union([z.string().min(1), z.number().transform(String)]),
  data_id: innerPath,
  question: z.string(),
  choice_a: z.coerce.string(),
  choice_b: z.coerce.string(),
  choice_c: z.coerce.string(),
  choice_d: z.coerce.string(),
  answer: z.enum(letters),
  question_type_id: z.number().int(),
});

// Questions about videos have other fields, and are skipped.
const questionsSchema = z.array(
  z.discriminatedUnion('data_type', [
    questionSchema.extend({ data_type: z.literal('image') }),
    z.looseObject({ data_type: z.literal('video') }),
  ]),
);
const namedSchema = z.object({ questions: questionsSchema, question_type: z.record(z.string(), z.number().int()) });
/** The official script also takes the questions alone, in which the dimensions have no names. */
const fileSchema = z.unknown().transform((value, context) => {
  const result = (Array.isArray(value) ? questionsSchema : namedSchema).safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) context.addIssue({ ...issue });
  return z.NEVER;
});

export interface SeedBenchQuestion {
  questionId: string;
  /** File of the image within the image folder. */
  dataId: string;
  question: string;
  choices: [string, string, string, string];
  /** Index of the right choice. */
  correct: number;
  /** Name of the evaluation dimension, such as `Instance Attributes`; `type 3` in a file without names. */
  dimension: string;
}

/**
 * Reads the questions about images, of the official file or of its bare list of questions.
 *
 * @throws InputError naming the field that is wrong, such as a dimension that the file has no name for, or the layout of a
 *   file of another benchmark, such as SEED-Bench 2.
 */
export async function readSeedBench(file: string): Promise<SeedBenchQuestion[]> {
  const content = await readLayout(file, layoutName.seedBench, fileSchema);
  const isBare = Array.isArray(content);
  const questions = isBare ? content : content.questions;
  const names = new Map(isBare ? [] : Object.entries(content.question_type).map(([name, id]) => [id, name]));
  const place = (index: number) => `${isBare ? '' : 'questions'}[${index}]`;
  const places = new Map<string, number>();
  return questions.flatMap((question, index): SeedBenchQuestion[] => {
    if (question.data_type !== 'image') return [];
    const wrong = (field: string, problem: string) =>
      new InputError({ file, field: `${place(index)}.${field}`, problem, remedy: 'Download the file again' });
    const type = question.question_type_id;
    const dimension = isBare ? `type ${type}` : names.get(type);
    if (dimension === undefined) throw wrong('question_type_id', `${type} has no name in question_type`);
    const earlier = places.get(question.question_id);
    if (earlier !== undefined)
      throw wrong('question_id', `'${question.question_id}' is also the id of ${place(earlier)}`);
    places.set(question.question_id, index);
    return [
      {
        questionId: question.question_id,
        dataId: question.data_id,
        question: question.question,
        choices: [question.choice_a, question.choice_b, question.choice_c, question.choice_d],
        correct: letters.indexOf(question.answer),
        dimension,
      },
    ];
  });
}
