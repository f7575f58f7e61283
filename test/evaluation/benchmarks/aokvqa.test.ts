import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AokvqaQuestion } from '../../../src/datasets/aokvqa.ts';
import { readAokvqaPredictions, scoreAokvqaPredictions } from '../../../src/evaluation/aokvqa-predictions.ts';
import { aokvqa, directAnswerScore } from '../../../src/evaluation/benchmarks/aokvqa.ts';
import { noSharedFiles, sharedFile } from '../../helpers/shared-files.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { evaluated, question } from '../questions.ts';

function answered(choice: number, values: Partial<AokvqaQuestion> = {}) {
  const asked = question({ question_type: 'identity_reasoning', ...values });
  return {
    question: { ...asked, id: asked.question_id, image: '/data/val2017/000000370270.jpg' },
    choice,
    losses: [2, 1, 3, 4],
  };
}
const mean = (scores: readonly { score: number }[] = []) =>
  scores.reduce((sum, { score }) => sum + score, 0) / scores.length;

test('asks and answers as the reference system ranks', () => {
  expect(aokvqa.ask(answered(0).question, 'ranked')).toEqual({
    question: 'What sport are they mimicking?\n(A) baseball (B) lacrosse (C) cricket (D) basketball\n',
    answerStart: 'The answer is',
    answers: [
      'The answer is (A) baseball',
      'The answer is (B) lacrosse',
      'The answer is (C) cricket',
      'The answer is (D) basketball',
    ],
  });
});

test('a free answer is asked for without the choices, beside what is ranked', () => {
  const { generate, ...ranked } = aokvqa.ask(answered(0).question, 'generated');
  expect(ranked).toEqual(aokvqa.ask(answered(0).question, 'ranked'));
  expect(generate).toEqual({ question: 'What sport are they mimicking?\n', maximumNewTokens: 24 });
});

test.each([
  'Baseball',
  'The answer is baseball. They hold a bat.',
  'The answer is (A) baseball',
  'baseball\nThey hold a bat',
])('the written answer %j is scored and predicted by its words', async (text) => {
  const one = { ...answered(1), text };
  expect(mean(aokvqa.score([one]).directAnswer)).toBe(1);
  expect(mean(aokvqa.score([one]).multipleChoice)).toBe(0);
  const folder = await temporaryFolder();
  await aokvqa.write?.([one], folder);
  const predictions = await readAokvqaPredictions(join(folder, 'aokvqa_predictions.json'));
  expect(predictions).toEqual({ q1: { multiple_choice: 'lacrosse', direct_answer: 'baseball' } });
});

describe('the test split, which has no answers (fidelity/aokvqa_test_split.json)', () => {
  const source = {
    file: 'test/fixtures/fidelity/aokvqa_test_split.json',
    images: '/test2017',
    extractedImages: '/none',
  };

  test('is answered, and its predictions are written as the leaderboard takes them', async () => {
    const questions = await aokvqa.read(source);
    expect(questions.map(({ image }) => image)).toEqual(['/test2017/000000461751.jpg', '/test2017/000000377368.jpg']);
    const answered = questions.map((question, index) => ({ question, choice: 3 - index, losses: [1, 2, 3, 4] }));
    expect(aokvqa.score(answered)).toEqual({});
    const folder = await temporaryFolder();
    expect(await aokvqa.write?.(answered, folder)).toEqual(['aokvqa_predictions.json']);
    expect(JSON.parse(await readFile(join(folder, 'aokvqa_predictions.json'), 'utf8'))).toEqual({
      '22jbM6gDxdaMaunuzgrsBB': { multiple_choice: 'cigarette', direct_answer: 'cigarette' },
      '2Aq5RiEn7eyfWjEbpuYT2o': { multiple_choice: 'nine', direct_answer: 'nine' },
    });
  });

  test('is refused where a round is judged by the answers', async () => {
    await expect(aokvqa.read({ ...source, answersRequired: true })).rejects.toThrow(
      /has no answers\. Name a split with/,
    );
  });
});

describe('scores', () => {
  test('multiple choice is the share of correct choices', () => {
    const { multipleChoice } = aokvqa.score([answered(0), answered(1), answered(2), answered(0)]);
    expect(mean(multipleChoice)).toBe(0.5);
  });

  test('direct answer leaves out questions marked difficult', () => {
    const { multipleChoice, directAnswer } = aokvqa.score([
      answered(0),
      answered(1, { difficult_direct_answer: true }),
    ]);
    expect(mean(directAnswer)).toBe(1);
    expect(mean(multipleChoice)).toBe(0.5);
  });

  test('direct answer looks at the words of the choice, not at its being correct', () => {
    const wrongButSaid = answered(1, { direct_answers: ['lacrosse', 'lacrosse', ...Array(8).fill('hockey')] });
    expect(mean(aokvqa.score([wrongButSaid]).directAnswer)).toBeCloseTo(2 / 3, 10);
  });

  test('are sorted by question type, where there is one', () => {
    const { multipleChoice = [] } = aokvqa.score([answered(0), answered(0, { question_type: undefined })]);
    expect(multipleChoice.map(({ groups }) => groups)).toEqual([{ 'question type': 'identity_reasoning' }, undefined]);
  });
});

test('writes aokvqa_eval.json', async () => {
  const folder = await temporaryFolder();
  expect(await aokvqa.write?.([answered(1)], folder)).toEqual(['aokvqa_eval.json', 'aokvqa_predictions.json']);
  expect(JSON.parse(await readFile(join(folder, 'aokvqa_eval.json'), 'utf8'))).toEqual([evaluated()]);
});

test('writes the predictions as the leaderboard takes them, with the scores of the official script', async () => {
  const folder = await temporaryFolder();
  const all = [answered(0, { question_id: 'a' }), answered(1, { question_id: 'b' }), answered(0, { question_id: 'c' })];
  await aokvqa.write?.(all, folder);
  const predictions = await readAokvqaPredictions(join(folder, 'aokvqa_predictions.json'));
  expect(predictions.b).toEqual({ multiple_choice: 'lacrosse', direct_answer: 'lacrosse' });
  const scores = scoreAokvqaPredictions(
    all.map(({ question }) => question),
    predictions,
  );
  const measures = aokvqa.score(all);
  expect(scores.multipleChoice).toBeCloseTo(100 * mean(measures.multipleChoice), 10);
  expect(scores.directAnswer).toBeCloseTo(100 * mean(measures.directAnswer), 10);
});

const official = sharedFile('aokvqa/aokvqa_v1p0_val.json');
test.skipIf(!official)(`reads the official validation file, no question dropped (${noSharedFiles})`, async () => {
  const source = { file: official as string, images: '/val2017', extractedImages: '/none' };
  const questions = await aokvqa.read(source);
  expect(questions).toHaveLength(1145);
  expect(questions[0]?.image).toMatch(/^\/val2017\/\d{12}\.jpg$/);
  expect(await aokvqa.read({ ...source, limit: 3 })).toEqual(questions.slice(0, 3));
});

test('needs the folder of its images', async () => {
  await expect(aokvqa.read({ file: 'q.json', extractedImages: '/none' })).rejects.toMatchObject({
    name: 'InputError',
    file: 'q.json',
  });
});

describe('directAnswerScore', () => {
  const answers = ['boxing', 'boxing', 'boxing', 'wii', 'wii', 'game', 'box', 'ring', 'Fight', 'sport'];

  test('an answer that three people gave is right', () => expect(directAnswerScore('boxing', answers)).toBe(1));
  test('more than three people make it no righter', () =>
    expect(directAnswerScore('boxing', [...answers, 'boxing'])).toBe(1));
  test('two people make it two thirds right', () => expect(directAnswerScore('wii', answers)).toBeCloseTo(2 / 3, 12));
  test('the answer of a single person is right, where there is no other', () => {
    expect(directAnswerScore('boxing', ['boxing'])).toBe(1);
    expect(directAnswerScore('boxing', ['boxing', 'fight'])).toBe(1 / 2);
    expect(directAnswerScore('tennis', ['boxing'])).toBe(0);
  });
  test('an answer that nobody gave is wrong', () => expect(directAnswerScore('tennis', answers)).toBe(0));
  test('case and outer blanks do not count', () => expect(directAnswerScore(' fight', answers)).toBeCloseTo(1 / 3, 12));
});
