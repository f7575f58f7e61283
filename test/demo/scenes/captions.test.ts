import { describe, expect, it } from 'vitest';
import { captionsFor, joinWithAnd, withArticle } from '../../../demo/scenes/captions.ts';
import { type Box, randomScene } from '../../../demo/scenes/scene.ts';
import { sceneFromAnnotations } from '../../../demo/scenes/scene-from-annotations.ts';
import { PLACES } from '../../../demo/scenes/vocabulary.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';

const examples = Array.from({ length: 500 }, (_, index) => {
  const random = seededRandom('caption test').fork(index);
  const scene = randomScene(random);
  return { scene, captions: captionsFor(scene, random) };
});

describe('captionsFor', () => {
  it('writes five, two of which name every thing with size and color', () => {
    for (const { scene, captions } of examples) {
      expect(captions).toHaveLength(5);
      const whole = captions.filter((caption) =>
        scene.objects.every(({ size, color, category }) => caption.includes(`${size} ${color} ${category}`)),
      );
      expect(whole.length).toBeGreaterThanOrEqual(2);
      expect(captions.some((caption) => caption.includes(scene.quality))).toBe(true);
    }
  });

  it('names no places: the boxes have them', () => {
    const places = new RegExp(`\\b(${PLACES.join('|')})\\b`);
    for (const { captions } of examples) for (const caption of captions) expect(caption).not.toMatch(places);
  });
});

describe('sceneFromAnnotations', () => {
  it('reads every scene back completely from its captions and boxes', () => {
    for (const { scene, captions } of examples) {
      const boxes = scene.objects.map(({ category, box }) => ({ category, box }));
      expect(sceneFromAnnotations({ captions, boxes, width: scene.width, height: scene.height })).toEqual(scene);
    }
  });

  const box: Box = [10, 10, 50, 50];
  const read = (captions: string[], categories: string[]) =>
    sceneFromAnnotations({
      captions,
      boxes: categories.map((category) => ({ category, box })),
      width: 640,
      height: 480,
    });

  it("reads COCO's own captions, and leaves undefined what they do not say", () => {
    expect(read(['A Small black Dog sits on the beach.', 'A dog near the water.'], ['dog', 'surfboard'])).toEqual({
      width: 640,
      height: 480,
      background: 'beach',
      quality: undefined,
      objects: [
        { category: 'dog', color: 'black', size: 'small', place: 'top left', box },
        { category: 'surfboard', color: undefined, size: undefined, place: 'top left', box },
      ],
    });
  });

  it.each([
    ['two colors', ['a brown and white dog'], ['dog']],
    ['a color that is not ours', ['a brown dog'], ['dog']],
    ['captions that differ', ['a white dog', 'a black dog'], ['dog']],
    ['a color of something else', ['a man in red with a dog', 'a white car, dog'], ['dog']],
    ['two of the category', ['a white dog'], ['dog', 'dog']],
  ])('takes no color from %s', (_, captions, categories) => {
    expect(read(captions, categories).objects[0]?.color).toBeUndefined();
  });

  it('knows no background when captions name two', () => {
    expect(read(['a dog on the street', 'a dog in a park'], ['dog']).background).toBeUndefined();
  });
});

it('joins words as in speech', () => {
  expect(joinWithAnd(['a cat', 'a dog', 'a cup'])).toBe('a cat, a dog and a cup');
  expect(joinWithAnd(['a cat'])).toBe('a cat');
  expect(withArticle('apple')).toBe('an apple');
  expect(withArticle('red apple')).toBe('a red apple');
});
