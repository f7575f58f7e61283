import { expect, test } from 'vitest';
import { nearestPictures } from '../../src/generation/nearest-pictures.ts';

const imageIds = [11, 12, 13, 14];
const embeddings = Float32Array.from([1, 0, 0, 5, 3, 4, -1, 0]);
const input = { embeddings, width: 2, imageIds, query: Float32Array.from([2, 0]), count: 4 };

test('pictures come by cosine, whatever the length of their embeddings', () => {
  expect(nearestPictures(input)).toEqual([11, 13, 12, 14]);
});

test('only as many come as are asked for, or as there are', () => {
  expect(nearestPictures({ ...input, count: 2 })).toEqual([11, 13]);
  expect(nearestPictures({ ...input, count: 9 })).toHaveLength(4);
});

test('equally close pictures keep their order', () => {
  const same = Float32Array.from([1, 0, 1, 0, 2, 0, 1, 0]);
  expect(nearestPictures({ ...input, embeddings: same })).toEqual(imageIds);
});

test('an embedding of nothing but zeros comes last', () => {
  expect(nearestPictures({ ...input, embeddings: Float32Array.from([0, 0, 0, 5, 3, 4, -1, 0]) }).at(-1)).toBe(11);
});

test('sizes that do not fit are an error', () => {
  expect(() => nearestPictures({ ...input, width: 3 })).toThrow(RangeError);
  expect(() => nearestPictures({ ...input, query: new Float32Array(3) })).toThrow(RangeError);
});
