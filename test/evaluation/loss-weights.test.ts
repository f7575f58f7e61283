import { expect, test } from 'vitest';
import { lossWeights } from '../../src/evaluation/loss-weights.ts';

const record = (idx: string, question_type: string, losses: number[], correct_choice_idx = 0) => ({
  ...{ idx, question_type, losses, correct_choice_idx },
});

test('a type weighs as much as the mean loss of its right choices, against the largest', () => {
  const { types } = lossWeights([
    record('1', 'scene', [0.4, 9]),
    record('2', 'scene', [7, 0.2], 1),
    record('3', 'color', [2, 1]),
    record('4', 'count', [0, 1]),
  ]);
  expect(types).toEqual({ color: 1, count: 0, scene: 0.15 });
  expect(Object.keys(types)).toEqual(['color', 'count', 'scene']);
});

test('a question that is right in doubt has a loss too', () => {
  const { questions } = lossWeights([record('sure', 'scene', [0.1, 5]), record('doubtful', 'scene', [1.4, 1.5])]);
  expect([...questions]).toEqual([
    ['sure', 0.1],
    ['doubtful', 1.4],
  ]);
});

test('a model that is sure of every right choice gives weights of 0', () => {
  expect(lossWeights([record('1', 'scene', [0, 3])]).types).toEqual({ scene: 0 });
});

test('an answer that was written has no loss', () => {
  expect(() => lossWeights([record('9', 'scene', [])])).toThrow('Question 9 has no loss of its right choice');
});
