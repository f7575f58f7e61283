import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ImageId } from '../../src/core/images/image-id.ts';
import { type BadCaseExample, drawableWeights, sampleRequests } from '../../src/generation/sample-requests.ts';
import { annotatedImage, manyImages } from './images.ts';

const weightFile = new URL('../fixtures/fidelity/sampling_seed_weight.json', import.meta.url);

type Input = Parameters<typeof sampleRequests>[0];

function badCase(name: string, imageId: number): BadCaseExample {
  return { idx: name, prompt: `Question: ${name}?`, image_path: `val2017/${String(imageId).padStart(12, '0')}.jpg` };
}

const badCases = {
  image_scene: [badCase('scene1', 9001), badCase('scene2', 9002), badCase('scene3', 9003)],
  image_topic: [badCase('topic1', 9004)],
  image_style: [],
};

function sample(values: Partial<Input> = {}) {
  return sampleRequests({
    strategy: 'adaptive',
    requests: 100,
    badCases,
    weights: { image_scene: 0.6, image_topic: 0.2, image_style: 0 },
    images: manyImages(1000),
    usedImageIds: new Set(),
    nearest: () => [],
    pool: 'described',
    maximumBoxes: 10,
    inContextExamples: 2,
    promptVersion: 'generate-v1',
    seed: 1,
    ...values,
  });
}

describe('types', () => {
  test('are drawn by weight', () => {
    const { requestsByType } = sample({ requests: 1000, inContextExamples: 1 });
    expect(requestsByType.image_scene).toBeGreaterThan(700);
    expect(requestsByType.image_scene).toBeLessThan(800);
    expect(requestsByType.image_style).toBeUndefined();
  });

  test('are drawn with equal chances by the strategy uniform, those without an error included', () => {
    const { requestsByType } = sample({ requests: 900, strategy: 'uniform' });
    for (const type of ['image_scene', 'image_topic', 'image_style']) {
      expect(requestsByType[type]).toBeGreaterThan(250);
      expect(requestsByType[type]).toBeLessThan(350);
    }
  });

  test('are drawn with equal chances when no answer was wrong', () => {
    const { requestsByType } = sample({ weights: { image_scene: 0, image_topic: 0 }, badCases: {} });
    expect(Object.keys(requestsByType).sort()).toEqual(['image_scene', 'image_topic']);
  });
});

describe('examples', () => {
  test('are two different bad cases of the type', () => {
    for (const { examples } of sample({ weights: { image_scene: 1 } }).requests) {
      expect(new Set(examples.map(({ idx }) => idx)).size).toBe(2);
      expect(examples.every(({ idx }) => idx.startsWith('scene'))).toBe(true);
    }
  });

  test('are drawn first by the weight of a bad case, where there is one', () => {
    const weights: Record<string, number> = { scene1: 9, scene2: 1, scene3: 0 };
    const { requests } = sample({
      ...{ requests: 500, weights: { image_scene: 1 } },
      badCaseWeight: ({ idx }) => weights[idx] ?? 0,
    });
    const firsts = requests.map(({ examples }) => examples[0]?.idx);
    expect(firsts.filter((idx) => idx === 'scene1').length).toBeGreaterThan(420);
    expect(firsts).toContain('scene2');
    expect(firsts).not.toContain('scene3');
    expect(requests.flatMap(({ examples }) => examples.map(({ idx }) => idx))).toContain('scene3');
    expect(sample({ badCaseWeight: () => 0 })).toEqual(sample());
  });

  test('are fewer where there are fewer, by the strategy uniform', () => {
    expect(sample({ strategy: 'uniform', weights: { image_topic: 1 } }).requests[0]?.examples).toEqual([
      { idx: 'topic1', prompt: 'Question: topic1?' },
    ]);
    expect(sample({ strategy: 'uniform', weights: { image_style: 1 } }).requests[0]?.examples).toEqual([]);
  });
});

describe('images', () => {
  test('come in turn from those nearest to the first example and from all', () => {
    const nearest = (imageId: ImageId) => [1, 2, 3, 4, 5].map((step) => (Number(imageId) - 9000) * 100 + step);
    const { requests } = sample({ requests: 10, weights: { image_scene: 1 }, nearest });
    expect(requests.map(({ source }) => source)).toEqual(Array(5).fill(['nearest', 'random']).flat());
    for (const { source, image_id, examples } of requests) {
      const anchor = badCases.image_scene.find(({ idx }) => idx === examples[0]?.idx);
      if (source === 'nearest') expect(nearest(Number(anchor?.image_path.slice(8, 20)))).toContain(image_id);
    }
  });

  test('come from one of the two alone where the config says so', () => {
    const given = { requests: 20, weights: { image_scene: 1 }, nearest: () => [1, 2, 3, 4, 5, 6, 7, 8] };
    const from = (imagesFrom: 'near' | 'random') =>
      sample({ ...given, imagesFrom }).requests.map(({ source }) => source);
    // Eight are near, and free once.
    expect(from('near')).toEqual([...Array(8).fill('nearest'), ...Array(12).fill('random')]);
    expect(from('random')).toEqual(Array(20).fill('random'));
  });

  test('come from all images when the near ones are used up', () => {
    const { requests, exhausted } = sample({ requests: 10, weights: { image_topic: 1 }, nearest: () => [7] });
    expect(exhausted).toBe(false);
    expect(requests.filter(({ source }) => source === 'nearest').map(({ image_id }) => image_id)).toEqual([7]);
  });

  test('come once only, and not when an earlier round used them', () => {
    const usedImageIds = new Set<ImageId>([1, 2, 3, 4, 5]);
    const { requests } = sample({
      images: manyImages(50),
      requests: 45,
      usedImageIds,
      nearest: () => [1, 2, 6, 7],
    });
    const ids = requests.map(({ image_id }) => image_id);
    expect(new Set(ids).size).toBe(45);
    expect(ids.some((id) => usedImageIds.has(id))).toBe(false);
  });

  test('with too many boxes, no box or no caption are left out', () => {
    const box = { category: 'cat', box: [0, 0, 9, 9] as [number, number, number, number] };
    const images = [
      { id: 1, boxes: Array(11).fill(box) },
      { id: 2, boxes: [] },
      { id: 3, captions: [] },
      { id: 4, boxes: Array(10).fill(box) },
    ].map(annotatedImage);
    const { requests, exhausted } = sample({ images, requests: 4, nearest: () => [1, 2, 3] });
    expect(requests.map(({ image_id }) => image_id)).toEqual([4]);
    expect(exhausted).toBe(true);
  });

  test('that run out end the round early, and the result says so', () => {
    const { requests, exhausted } = sample({ images: manyImages(30) });
    expect(requests).toHaveLength(30);
    expect(exhausted).toBe(true);
  });
});

describe('the pool of all images, as in the reference system', () => {
  const box = { category: 'cat', box: [0, 0, 9, 9] as [number, number, number, number] };
  const crowded = { id: 2, boxes: Array(11).fill(box) };

  test('has images without boxes or captions; those with too many boxes are never drawn', () => {
    const images = [{ id: 1, boxes: [] }, crowded, { id: 3, captions: [] }, { id: 4 }].map(annotatedImage);
    const { requests, exhausted } = sample({ pool: 'all', images, requests: 4, nearest: () => [2, 1] });
    expect(requests.map(({ image_id }) => image_id).sort()).toEqual([1, 3, 4]);
    expect(exhausted).toBe(true);
  });

  test('repeats the whole draw, question type included, when the image can’t be drawn', () => {
    // All that is near to the bad cases of image_topic is used or has too many boxes.
    const nearest = (imageId: ImageId) =>
      imageId === 9004 ? [1, 2] : manyImages(900).map(({ id }) => Number(id) + 10);
    const images = [annotatedImage(crowded), ...manyImages(1000).filter(({ id }) => id !== 2)];
    const { requests } = sample({ pool: 'all', images, nearest, usedImageIds: new Set([1]), inContextExamples: 1 });
    expect(requests).toHaveLength(100);
    const sources = requests.map(({ source }) => source);
    expect(sources).toEqual(Array(50).fill(['nearest', 'random']).flat());
    const near = requests.filter(({ source }) => source === 'nearest');
    expect(new Set(near.map(({ question_type }) => question_type))).toEqual(new Set(['image_scene']));
    const others = requests.filter(({ source }) => source === 'random');
    expect(new Set(others.map(({ question_type }) => question_type))).toEqual(new Set(['image_scene', 'image_topic']));
  });

  test('ends where the reference system would not: when nothing near is left, any image is drawn', () => {
    const { requests } = sample({ pool: 'all', images: manyImages(20), requests: 20, nearest: () => [7] });
    expect(requests).toHaveLength(20);
  });
});

describe('requests', () => {
  test('are the same for the same seed, and others for another', () => {
    expect(sample()).toEqual(sample());
    expect(sample().requests).not.toEqual(sample({ seed: 2 }).requests);
  });

  test('have an id that depends on all they ask', () => {
    const ids = [sample(), sample({ promptVersion: 'generate-v2' })].map(({ requests }) => requests[0]?.id);
    expect(ids[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test('are none when no type was asked', () => {
    expect(sample({ weights: {}, badCases: {} })).toEqual({ requests: [], exhausted: true, requestsByType: {} });
  });
});

describe('question types with fewer bad cases than in-context examples', () => {
  test('are not drawn, as in sampling_bad_cases_one_image_quality.json with sampling_seed_weight.json', () => {
    const officialWeights = JSON.parse(readFileSync(weightFile, 'utf8')) as Record<string, number>;
    // The case's bad cases: 8 of each type, but 1 of image_quality and none of image_emotion.
    const numbers: Record<string, number> = { image_quality: 1, image_emotion: 0 };
    const cases = Object.keys(officialWeights).map((type, place) => {
      const ofType = Array.from({ length: numbers[type] ?? 8 }, (_, number) => badCase(`${type}${number}`, place));
      return [type, ofType] as const;
    });
    const { requestsByType } = sample({ requests: 900, weights: officialWeights, badCases: Object.fromEntries(cases) });
    expect(Object.keys(requestsByType).sort()).toEqual(
      Object.keys(officialWeights)
        .filter((type) => !(type in numbers))
        .sort(),
    );
  });

  test('have a weight of 0', () => {
    const weights = { image_scene: 0.6, image_topic: 0.2, image_style: 0 };
    expect(drawableWeights({ weights, badCases, inContextExamples: 2 })).toEqual({ ...weights, image_topic: 0 });
    expect(drawableWeights({ weights, badCases, inContextExamples: 1 })).toEqual(weights);
  });

  test('are drawn when no type has enough', () => {
    const { requestsByType } = sample({ inContextExamples: 4 });
    expect(Object.keys(requestsByType).sort()).toEqual(['image_scene', 'image_style', 'image_topic']);
  });
});

test('a bad case without an image number is an error that names it', () => {
  const broken = { idx: 'odd', prompt: '', image_path: 'val2017/cat.jpg' };
  expect(() => sample({ badCases: { image_topic: [broken] }, weights: { image_topic: 1 } })).toThrow(/odd.*cat\.jpg/);
});
