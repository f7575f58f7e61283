import { describe, expect, test } from 'vitest';
import type { ImageId } from '../../src/core/images/image-id.ts';
import { leakFinder } from '../../src/generation/leaks.ts';

const choices = ['toothpick', 'food', 'popsicle stick', 'cigarette'];
const evaluation = {
  imageIds: new Set([100]),
  imageHashes: new Set(['aaa']),
  questions: [{ question_id: 'q1', question: "What is in the motorcyclist's mouth?", choices }],
};
const fileHashes = new Map<ImageId, string>([
  [1, 'aaa'],
  [2, 'bbb'],
]);
const find = leakFinder(evaluation, 0.85, (id) => fileHashes.get(id));
const sample = { image_id: 2, question: 'What is the dog doing?', choices: ['a', 'b', 'c', 'd'] };

describe('training on it would leak the evaluation', () => {
  test("when its image is an evaluation's, by id or by content", () => {
    expect(find({ ...sample, image_id: 100 })).toMatchObject({ reason: 'evaluation_image' });
    expect(find({ ...sample, image_id: 1 })).toMatchObject({ reason: 'evaluation_image' });
  });

  test('when it asks nearly the same with the same choices in any order', () => {
    const copy = { image_id: 2, question: 'What is in this motorcyclist’s mouth?', choices: [...choices].reverse() };
    expect(find(copy)).toEqual({ reason: 'evaluation_question', detail: 'question q1' });
  });
});

describe('it is none of that', () => {
  test('with another image and another question', () => {
    expect(find(sample)).toBeUndefined();
    expect(find({ ...sample, image_id: 3 })).toBeUndefined();
  });

  test('with a question as plain as that, but other choices', () => {
    expect(find({ ...sample, question: evaluation.questions[0]?.question ?? '' })).toBeUndefined();
  });

  test('where questions are not compared', () => {
    const lenient = leakFinder(evaluation, undefined, () => undefined);
    expect(lenient({ image_id: 1, question: evaluation.questions[0]?.question ?? '', choices })).toBeUndefined();
  });
});
