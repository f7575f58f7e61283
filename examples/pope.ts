/**
 * A benchmark of one's own: POPE (https://github.com/AoiDragon/POPE), which asks whether a thing is in the image.
 * In the project it would be a file in `evaluation/benchmarks/`, and a line in its `index.ts`.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { readJsonLines } from '../src/core/read-json.ts';
import { listedQuestion } from '../src/datasets/question-text.ts';
import type { Benchmark, BenchmarkQuestion } from '../src/evaluation/benchmarks/benchmark.ts';

const lineSchema = z.object({
  question_id: z.number().transform(String),
  image: z.string(),
  text: z.string(),
  label: z.enum(['yes', 'no']),
});

export const pope: Benchmark<z.output<typeof lineSchema> & BenchmarkQuestion> = {
  title: 'POPE',
  answerModes: ['ranked'],
  downloads: {
    POPE: 'Download output/coco from github.com/AoiDragon/POPE into POPE, beside the images of COCO val2014',
  },

  // Reads the official file. Wrong input is an InputError that names line and field: readJsonLines does that.
  async read({ file, images = '', limit }) {
    const lines = (await readJsonLines(file, lineSchema)).slice(0, limit);
    return lines.map((line) => ({ ...line, id: line.question_id, image: join(images, line.image) }));
  },

  // The question (the model's family adds its own words around it), and the answers to rank, after what all of
  // them start with.
  ask: ({ text }) => ({ question: listedQuestion(text), answerStart: '', answers: ['Yes', 'No'] }),

  // What no training sample may have: new samples that are near it, or about the same image, are dropped.
  content: ({ text }) => ({ question: text, choices: ['yes', 'no'] }),

  // Lists of scores, 0 to 1, one a question; the mean of each list is a measure, the first the main one.
  score: (answered) => ({
    accuracy: answered.map(({ question, choice }) => ({
      id: question.id,
      score: choice === (question.label === 'yes' ? 0 : 1) ? 1 : 0,
      groups: { label: question.label },
    })),
  }),
};
