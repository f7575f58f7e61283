import { describe, expect, test } from 'vitest';
import type { EngineSample } from '../../src/datasets/engine-data.ts';
import {
  counterfactualPairs,
  pairOrder,
  preferencePairs,
  preferenceSample,
} from '../../src/datasets/preference-pairs.ts';

const sampleOf = (image_id: number, changes: Partial<EngineSample> = {}): EngineSample => ({
  image_id,
  raw_instructions: '',
  question_type: 'color',
  question: 'What color is it?',
  choices: ['red', 'green', 'blue'],
  correct_choice_idx: 1,
  rationales: ['It is green.'],
  ...changes,
});

const rankedOf = ({ image_id, question, choices }: EngineSample, losses: number[]) => ({
  image_id,
  question,
  choices,
  losses,
});

describe('the pairs of samples', () => {
  const [wrong, right] = [sampleOf(1), sampleOf(2)];

  test('are the right choice and the one that the model made, where that is another', () => {
    const ranked = [rankedOf(wrong, [0.5, 0.9, 0.4]), rankedOf(right, [0.5, 0.1, 0.4])];
    expect(preferencePairs([wrong, right], ranked)).toEqual([
      {
        image_id: 1,
        question_type: 'color',
        question: 'What color is it?',
        choices: ['red', 'green', 'blue'],
        correct_choice_idx: 1,
        rejected_choice_idx: 2,
      },
    ]);
  });

  test('leave out samples with short answers, and those that nobody asked the model', () => {
    const short = sampleOf(3, { choices: [], correct_choice_idx: undefined, direct_answers: ['green'] });
    expect(preferencePairs([short, wrong], [rankedOf(short, [])])).toEqual([]);
  });

  test('go by the right choice that a person has corrected, and leave out samples with other words', () => {
    const ranked = [rankedOf(wrong, [0.5, 0.9, 0.4])];
    const corrected = { ...wrong, correct_choice_idx: 0 };
    expect(preferencePairs([corrected], ranked)[0]).toMatchObject({ correct_choice_idx: 0, rejected_choice_idx: 2 });
    expect(preferencePairs([{ ...wrong, correct_choice_idx: 2 }], ranked)).toEqual([]);
    expect(preferencePairs([{ ...wrong, question: 'Which color?' }], ranked)).toEqual([]);
  });
});

describe('the counterfactual pairs of samples', () => {
  test('reject the choice that is right for another image with the same question', () => {
    const [green, blue] = [sampleOf(1), sampleOf(2, { correct_choice_idx: 2 })];
    expect(counterfactualPairs([green, blue])).toEqual([
      {
        ...{ image_id: 1, question_type: 'color', question: 'What color is it?', choices: ['red', 'green', 'blue'] },
        ...{ correct_choice_idx: 1, rejected_choice_idx: 2, other_image_id: 2 },
      },
      expect.objectContaining({ image_id: 2, correct_choice_idx: 2, rejected_choice_idx: 1, other_image_id: 1 }),
    ]);
  });

  test('go by words: case, white space and the order of choices count for nothing', () => {
    const other = sampleOf(2, { question: 'what color  is it? ', choices: ['Red', 'White'], correct_choice_idx: 0 });
    expect(counterfactualPairs([sampleOf(1), other])).toEqual([
      expect.objectContaining({ image_id: 1, rejected_choice_idx: 0, other_image_id: 2 }),
    ]);
  });

  test('are none for another question, the same answer, the same image, and short answers', () => {
    const others = [
      sampleOf(2, { question: 'What color is the bus?', correct_choice_idx: 2 }),
      sampleOf(3),
      sampleOf(1, { correct_choice_idx: 0 }),
      sampleOf(4, { choices: [], correct_choice_idx: undefined, direct_answers: ['blue'] }),
    ];
    for (const other of others) expect(counterfactualPairs([sampleOf(1), other])).toEqual([]);
  });
});

test('both answers of a pair differ in the choice alone, and have no explanation', () => {
  const [pair] = preferencePairs([sampleOf(1)], [rankedOf(sampleOf(1), [0.1, 0.9, 0.4])]);
  if (pair === undefined) throw new Error('there is no pair');
  expect(preferenceSample(pair, { id: 'pair1-0', source: 'round1', image: '/pool/1.jpg' })).toEqual({
    id: 'pair1-0',
    source: 'round1',
    image: '/pool/1.jpg',
    prompt: 'What color is it?\n(A) red (B) green (C) blue\n',
    chosen: 'The answer is (B) green.',
    rejected: 'The answer is (A) red.',
  });
});

describe('the order of pairs', () => {
  test('uses all before one is repeated, and shuffles each pass', () => {
    const order = pairOrder(5, 15, 1);
    const passes = [0, 5, 10].map((start) => order.slice(start, start + 5));
    for (const pass of passes) expect([...pass].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(new Set(passes.map((pass) => pass.join())).size).toBeGreaterThan(1);
  });

  test('depends on the seed alone, and a longer one starts with a shorter one', () => {
    expect(pairOrder(50, 20, 1)).toEqual(pairOrder(50, 80, 1).slice(0, 20));
    expect(pairOrder(50, 20, 2)).not.toEqual(pairOrder(50, 20, 1));
  });
});
