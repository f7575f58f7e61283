import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeEvaluation } from '../../src/evaluation/evaluation-files.ts';
import { summarizeMeasures } from '../../src/evaluation/summarize-measures.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { printedBy } from './in-this-process.ts';

const power = (...options: string[]) => printedBy('power', ...options);

test('how many questions a difference takes, and what those at hand find', async () => {
  const table = await power('--difference', '2', '--disagreement', '15', '--questions', '1145');
  expect(table).toContain('A difference of 2 points, found with a probability of 80 % at the level 0.05:');
  const { questions } = JSON.parse(
    await power('--difference', '2', '--disagreement', '15', '--questions', '1145', '--json'),
  );
  expect(questions).toMatchObject([{ disagreement: 0.15, questions: 1145, designEffect: 1 }]);
  // The normal approximation: (1.96 + 0.84)² · 0.15 / 0.02².
  expect(questions[0].needed).toBeGreaterThan(2940);
  expect(questions[0].needed).toBeLessThan(3050);
  expect(questions[0].foundAtHand).toBeCloseTo(0.0328, 3);
  expect(await power('--difference', '2', '--disagreement', '15', '--power', '0.55')).toContain('of 55 % at');
  expect(table).toMatch(/questions\s*│\s*15\.0\s*│\s*1\.00/);
});

// TTestPower of statsmodels: power 0.2441 for an effect of 1.25.
test('seeds by the paired t test', async () => {
  expect(await power('--difference', '1', '--seed-deviation', '0.8', '--seeds', '3')).toBe(
    'Seeds needed by the paired t test: 8, each with both ways of training.\n' +
      'With 3 seeds the power is 24.4 %; they find 2.61 points.\n',
  );
});

test('two evaluations say how often their models disagree, and how questions about one image go together', async () => {
  const [first, second] = [await temporaryFolder(), await temporaryFolder()];
  const write = async (folder: string, scores: number[], images: boolean) => {
    const list = scores.map((score, index) => ({
      id: String(index),
      score,
      ...(images && { image: Math.floor(index / 4) }),
    }));
    const set = images ? 'several' : 'single';
    const measures = { accuracy: list };
    await writeEvaluation(
      join(folder, set),
      {
        ...{ schemaVersion: 1, set, benchmark: set, title: set, blind: false, weights: 'w', asked: 'a' },
        ...{ questions: scores.length, unanswered: 0 },
        measures: summarizeMeasures(measures, { samples: 10, seed: 1 }),
      },
      measures,
      [],
    );
  };
  const before = Array.from({ length: 80 }, () => 0);
  const after = before.map((_, index) => (index < 16 ? 1 : 0));
  for (const images of [true, false]) {
    await write(first, before, images);
    await write(second, after, images);
  }
  const { questions } = JSON.parse(await power(first, second, '--difference', '5', '--json'));
  const [several, single] = questions.sort((one: { set: string }, other: { set: string }) =>
    one.set < other.set ? -1 : 1,
  );
  expect(single).toMatchObject({
    set: 'single',
    disagreement: 0.2,
    observed: 0.2,
    designEffect: 1,
    questions: 80,
    level: 0.025,
  });
  // All four questions about an image go together.
  expect(several).toMatchObject({ set: 'several', disagreement: 0.2, designEffect: expect.closeTo(4, 10) });
  expect(several.needed).toBe(4 * single.needed);
});

test.each([
  [['--difference', '5', '--disagreement', '3'], '3 % is less than the difference of 5 points'],
  [['--difference', '5'], 'is missing'],
  [['--difference', '5', '--disagreement', '9', '--power', '1'], 'is 1'],
])('%j is refused', async (options, problem) => {
  await expect(power(...options)).rejects.toMatchObject({ name: 'InputError', problem });
});
