/** Three questions of A-OKVQA's validation split list the right choice twice: `fidelity/aokvqa_val_correct_choice_twice.json`. */
import { expect, test } from 'vitest';
import { readAokvqa } from '../../src/datasets/aokvqa.ts';
import { scoreAokvqaPredictions } from '../../src/evaluation/aokvqa-predictions.ts';
import { collectBadCases, errorWeights } from '../../src/evaluation/bad-cases.ts';
import { aokvqa } from '../../src/evaluation/benchmarks/aokvqa.ts';
import { compareRounds } from '../../src/evaluation/round-comparison.ts';
import { evaluated } from './questions.ts';

const file = 'test/fixtures/fidelity/aokvqa_val_correct_choice_twice.json';
/** The other place of the right choice, by question. */
const twins = [2, 2, 3];
const wrong = [1, 0, 0];

async function answeredWith(places: readonly number[]) {
  return (await readAokvqa(file)).map((question, index) => {
    const choice = places[index] as number;
    return evaluated({ ...question, model_choice_idx: choice, model_answer: question.choices[choice] as string });
  });
}

test('the twin is right: no bad case, no weight, no difference to the other place', async () => {
  const answers = await answeredWith(twins);
  expect(collectBadCases(answers)).toEqual({ identity_reasoning: [] });
  expect(errorWeights(answers)).toEqual({ identity_reasoning: 0 });
  const first = answers.map((answer) => ({ ...answer, model_choice_idx: answer.correct_choice_idx }));
  const settings = { level: 0.05, tolerance: 0, typeTolerance: 0, typeTolerances: {} };
  expect(compareRounds(first, answers, settings).overall).toMatchObject({ rightBefore: 3, rightNow: 3, lost: 0 });
});

test('any other choice is wrong', async () => {
  const answers = await answeredWith(wrong);
  expect(collectBadCases(answers).identity_reasoning).toHaveLength(3);
  expect(errorWeights(answers)).toEqual({ identity_reasoning: 1 });
});

test('the scores are those of the official script on the same predictions', async () => {
  const questions = await readAokvqa(file);
  for (const [places, percent] of [[twins, 100] as const, [wrong, 0] as const]) {
    const answered = questions.map((question, index) => {
      const choice = places[index] as number;
      return { question: { ...question, id: question.question_id, image: '/1.jpg' }, choice, losses: [1, 1, 1, 1] };
    });
    const predictions = Object.fromEntries(
      answered.map(({ question, choice }) => [question.id, { multiple_choice: question.choices[choice] }]),
    );
    expect(scoreAokvqaPredictions(questions, predictions).multipleChoice).toBe(percent);
    expect(aokvqa.score(answered).multipleChoice?.map(({ score }) => 100 * score)).toEqual([percent, percent, percent]);
  }
});
