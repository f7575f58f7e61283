/** What A-OKVQA's and SEED-Bench's official scripts make of the same answers (`make-official-scripts-fixture.py`). */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { type AokvqaPredictions, scoreAokvqaPredictions } from '../../src/evaluation/aokvqa-predictions.ts';
import { aokvqa } from '../../src/evaluation/benchmarks/aokvqa.ts';
import { seedBench } from '../../src/evaluation/benchmarks/seed-bench.ts';
import { likeliestChoice } from '../../src/evaluation/rank-answers.ts';
import { madeAnswers } from '../fixtures/official-scripts/answers.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const scores = z.object({ multipleChoice: z.number().optional(), directAnswer: z.number().optional() });
const official = z
  .object({
    aokvqa: z.object({ scores: z.record(z.string(), scores) }),
    seedBench: z.object({ results: z.string() }),
    sha256: z.string(),
  })
  .parse(JSON.parse(readFileSync('test/fixtures/official-scripts/results.json', 'utf8')));
const made = madeAnswers();

test('the answers are those that the official scripts were given', () => {
  expect(hash('sha256', JSON.stringify(made))).toBe(official.sha256);
});

const sets = Object.entries(made.aokvqa.predictions);
test.each(sets)("A-OKVQA's script scores the answers `%s` as we do", (name, predictions: AokvqaPredictions) => {
  const { multipleChoice, directAnswer } = official.aokvqa.scores[name] ?? {};
  const ours = scoreAokvqaPredictions(made.aokvqa.questions, predictions);
  for (const [found, wanted] of [
    [ours.multipleChoice, multipleChoice],
    [ours.directAnswer, directAnswer],
  ]) {
    if (wanted === undefined) expect(found).toBeUndefined();
    else expect(found).toBeCloseTo(wanted, 10);
  }
});

test("the benchmark's multiple choice is the script's too, also where the right choice is listed twice", () => {
  for (const name of ['right', 'any', 'last']) {
    const answered = made.aokvqa.questions.map((question) => {
      const { multiple_choice } = made.aokvqa.predictions[name]?.[question.question_id] ?? {};
      const choice = question.choices.lastIndexOf(multiple_choice as string);
      return { question: { ...question, id: question.question_id, image: '/1.jpg' }, choice, losses: [1, 1, 1, 1] };
    });
    const { multipleChoice = [] } = aokvqa.score(answered);
    const mean = multipleChoice.reduce((sum, { score }) => sum + score, 0) / multipleChoice.length;
    expect(100 * mean).toBeCloseTo(official.aokvqa.scores[name]?.multipleChoice as number, 10);
  }
});

test("SEED-Bench's script chooses the same answers by the same losses, about images only", async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'SEED-Bench.json');
  await writeFile(file, JSON.stringify(made.seedBench.file));
  const questions = await seedBench.read({ file, images: folder, extractedImages: '/none' });
  const answered = questions.map((question) => {
    const losses = made.seedBench.losses[question.id] as number[];
    return { question, choice: likeliestChoice(losses), losses };
  });
  await seedBench.write?.(answered, folder);
  const lines = (await readFile(join(folder, 'results.json'), 'utf8')).trim().split('\n');
  expect(lines).toHaveLength(225);
  expect(lines.map((line) => (JSON.parse(line) as { prediction: string }).prediction).join('')).toBe(
    official.seedBench.results,
  );
});
