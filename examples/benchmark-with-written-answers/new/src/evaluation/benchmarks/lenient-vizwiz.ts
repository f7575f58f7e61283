/**
 * VizWiz-VQA (arXiv 1802.08218): questions that blind people asked about photographs that they took, each answered by ten
 * people in a few words. As `vizwiz` among the benchmarks, but of what the model writes the first sentence alone counts, without
 * the words that training put before it.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { readJson } from '../../core/read-json.ts';
import { listedQuestion } from '../../datasets/question-text.ts';
import { type Benchmark, type BenchmarkQuestion, requireImageFolder } from './benchmark.ts';

const questionSchema = z.object({
  /** File name; no image has two questions. */
  image: z.string().min(1),
  question: z.string().min(1),
  answer_type: z.string().min(1),
  answers: z.array(z.object({ answer: z.string() })).min(1),
});

/** Answers are a word or three. */
const MAXIMUM_NEW_TOKENS = 16;

export const lenientVizWiz: Benchmark<z.output<typeof questionSchema> & BenchmarkQuestion> = {
  title: 'VizWiz-VQA, lenient',
  answerModes: ['generated'],
  downloads: { VizWiz: 'Download val.json and the images of val from vizwiz.org (VQA), into VizWiz' },

  async read(source) {
    const images = requireImageFolder(source);
    const questions = (await readJson(source.file, z.array(questionSchema))).slice(0, source.limit);
    return questions.map((question) => ({ ...question, id: question.image, image: join(images, question.image) }));
  },

  // No answers to rank: the model writes one.
  ask: ({ question }) => ({
    question: listedQuestion(question),
    answerStart: '',
    answers: [],
    generate: { question: listedQuestion(question), maximumNewTokens: MAXIMUM_NEW_TOKENS },
  }),

  content: ({ question, answers }) => ({ question, choices: [...new Set(answers.map(({ answer }) => answer))] }),

  score: (answered) => ({
    accuracy: answered.map(({ question, text = '' }) => ({
      id: question.id,
      score: shareOfPeople(text, question.answers),
      groups: { 'answer type': question.answer_type },
    })),
  }),
};

/** VQA accuracy: right when three people or more gave the answer, and a third right for each one below. */
function shareOfPeople(text: string, answers: readonly { answer: string }[]): number {
  const written = normalized(text);
  return Math.min(1, answers.filter(({ answer }) => normalized(answer) === written).length / 3);
}

/** The words of an answer's first sentence, without articles and what the model learned to begin an answer with. */
function normalized(answer: string): string {
  const [sentence = ''] = answer.trim().split(/[.!?](?:\s|$)|\n/);
  const short = sentence.toLowerCase().replace(/^(?:the answer is:?\s*)?(?:\([a-d]\)\s*)?/, '');
  const words = short.match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.filter((word) => !['a', 'an', 'the'].includes(word)).join(' ');
}
