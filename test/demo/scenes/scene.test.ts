import { describe, expect, it } from 'vitest';
import { placeOfBox, randomScene } from '../../../demo/scenes/scene.ts';
import { CATEGORIES, CATEGORY_NAMES, GROUPS, QUALITIES } from '../../../demo/scenes/vocabulary.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';

const scenes = Array.from({ length: 500 }, (_, index) => randomScene(seededRandom('scene test').fork(index)));

describe('randomScene', () => {
  it('is the same for the same seed', () => {
    expect(randomScene(seededRandom(7))).toEqual(randomScene(seededRandom(7)));
    expect(randomScene(seededRandom(7))).not.toEqual(randomScene(seededRandom(8)));
  });

  it('holds two to four things of different categories', () => {
    for (const { objects } of scenes) {
      expect(objects.length).toBeGreaterThanOrEqual(2);
      expect(objects.length).toBeLessThanOrEqual(4);
      expect(new Set(objects.map(({ category }) => category)).size).toBe(objects.length);
    }
  });

  it('keeps boxes inside the image, in the cell of their place, and apart from each other', () => {
    for (const { objects, width, height } of scenes) {
      for (const [index, { box, place }] of objects.entries()) {
        const [x, y, w, h] = box;
        expect(Math.min(x, y, width - x - w, height - y - h)).toBeGreaterThanOrEqual(0);
        expect(placeOfBox(box, width, height)).toBe(place);
        for (const other of objects.slice(index + 1)) {
          const [otherX, otherY, otherW, otherH] = other.box;
          const apart = x + w <= otherX || otherX + otherW <= x || y + h <= otherY || otherY + otherH <= y;
          expect(apart).toBe(true);
        }
      }
    }
  });

  it('makes large things clearly larger than small ones', () => {
    const sides = (size: string) =>
      scenes.flatMap(({ objects }) => objects.filter((object) => object.size === size).map(({ box }) => box[2]));
    expect(Math.min(...sides('large')) - Math.max(...sides('small'))).toBeGreaterThan(15);
  });

  it('draws about 55% sharp images and all other qualities', () => {
    const share = (quality: string) => scenes.filter((scene) => scene.quality === quality).length / scenes.length;
    expect(share('sharp')).toBeGreaterThan(0.48);
    expect(share('sharp')).toBeLessThan(0.62);
    for (const quality of QUALITIES) expect(share(quality)).toBeGreaterThan(0.08);
  });

  it('gives every category every color, so that none can be guessed', () => {
    const pairs = new Set(
      scenes.flatMap(({ objects }) => objects.map(({ category, color }) => `${color} ${category}`)),
    );
    expect(pairs.size).toBe(CATEGORY_NAMES.length * 8);
  });
});

it('the vocabulary has four categories a group, with the ids that COCO gives them', () => {
  for (const group of GROUPS) expect(CATEGORIES.filter((category) => category.group === group)).toHaveLength(4);
  const ids = Object.fromEntries(CATEGORIES.map(({ name, id }) => [name, id]));
  expect(ids).toMatchObject({
    bicycle: 2,
    car: 3,
    bus: 6,
    boat: 9,
    bird: 16,
    cat: 17,
    dog: 18,
    elephant: 22,
    umbrella: 28,
  });
  expect(ids).toMatchObject({ cup: 47, banana: 52, apple: 53, pizza: 59, cake: 61, chair: 62, clock: 85 });
});
