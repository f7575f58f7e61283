/**
 * SEED-Bench, image part (arXiv 2307.16125), by its official answer ranking: the question alone is shown, and the choice
 * wins whose content the model finds likeliest (lowest mean loss of its tokens).
 */
import { join } from 'node:path';
import { writeJsonLines } from '../../core/write-file.ts';
import { listedQuestion } from '../../datasets/prompt-format.ts';
import { readSeedBench, type SeedBenchQuestion } from '../../datasets/seed-bench.ts';
import type { Benchmark } from './benchmark.ts';
import { requireImageFolder } from './image-folder.ts';

type Question = SeedBenchQuestion & { id: string; image: string };

const resultsFile = 'results.json';
const letters = 'ABCD';

export const seedBench: Benchmark<Question> = {
  title: 'SEED-Bench (image)',
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
      image: join(images, question.dataId),
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
