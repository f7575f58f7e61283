import { expect, test } from 'vitest';
import { nearestImages } from '../../src/generation/nearest-images.ts';

const imageIds = [11, 12, 13, 14];
const embeddings = Float32Array.from([1, 0, 0, 5, 3, 4, -1, 0]);
const input = { embeddings, width: 2, imageIds, query: Float32Array.from([2, 0]), count: 4 };

test('images come by cosine, whatever the length of their embeddings', () => {
  expect(nearestImages(input)).toEqual([11, 13, 12, 14]);
});

test('only as many come as are asked for, or as there are', () => {
  expect(nearestImages({ ...input, count: 2 })).toEqual([11, 13]);
  expect(nearestImages({ ...input, count: 9 })).toHaveLength(4);
});

test('equally close images keep their order', () => {
  const same = Float32Array.from([1, 0, 1, 0, 2, 0, 1, 0]);
  expect(nearestImages({ ...input, embeddings: same })).toEqual(imageIds);
});

test('an embedding of nothing but zeros comes last', () => {
  expect(nearestImages({ ...input, embeddings: Float32Array.from([0, 0, 0, 5, 3, 4, -1, 0]) }).at(-1)).toBe(11);
});

test('sizes that do not fit are an error', () => {
  expect(() => nearestImages({ ...input, width: 3 })).toThrow(RangeError);
  expect(() => nearestImages({ ...input, query: new Float32Array(3) })).toThrow(RangeError);
});
