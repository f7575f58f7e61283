/**
 * The local teacher's eyes: a scene is recognized by its pixels, whatever the file that carries them.
 */
import sharp, { type Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';
import { seeScene } from '../../../../demo/local-teacher/eyes/see-scene.ts';
import { renderScene, sceneToSvg } from '../../../../demo/scenes/render.ts';
import { type PartialScene, randomScene, type Scene } from '../../../../demo/scenes/scene.ts';
import { QUALITIES } from '../../../../demo/scenes/vocabulary.ts';
import { openImage } from '../../../../src/core/images/open-image.ts';
import { seededRandom } from '../../../../src/core/seeded-random.ts';
import { noSharedFiles, sharedFile } from '../../../helpers/shared-files.ts';

const scenes = Array.from({ length: 24 }, (_, index) => ({
  ...randomScene(seededRandom('eyes').fork(index)),
  quality: QUALITIES[index % QUALITIES.length] as Scene['quality'],
}));

const see = (bytes: Buffer) => openImage(bytes, {}, seeScene);

/** Each thing as a line, for a comparison that says what was taken for what. */
const linesOf = ({ background, quality, objects }: PartialScene) => [
  `${quality} ${background}`,
  ...objects.map(({ category, color, size, place }) => `${size} ${color} ${category} at ${place}`).sort(),
];

async function shareSeen(encode: (image: Sharp) => Sharp): Promise<number> {
  let [right, all] = [0, 0];
  for (const scene of scenes) {
    const seen = await see(await encode(sharp(await renderScene(scene))).toBuffer());
    const lines = new Set(seen ? linesOf(seen) : []);
    all += linesOf(scene).length;
    right += linesOf(scene).filter((line) => lines.has(line)).length;
  }
  return right / all;
}

describe('a rendered scene', () => {
  test('is recognized whole, in all four qualities', async () => {
    for (const scene of scenes.slice(0, 12)) {
      expect(linesOf((await see(await renderScene(scene))) as PartialScene)).toEqual(linesOf(scene));
    }
  });

  test.each([
    ['encoded anew as a JPEG of low quality', (image: Sharp) => image.jpeg({ quality: 60 }), 0.97],
    ['encoded anew as a PNG', (image: Sharp) => image.png(), 0.97],
    ['as WebP', (image: Sharp) => image.webp({ quality: 80 }), 0.95],
    ['scaled down by a cap of the longest side', (image: Sharp) => image.resize(128).jpeg({ quality: 90 }), 0.93],
    ['scaled up', (image: Sharp) => image.resize(384).jpeg({ quality: 90 }), 0.9],
  ])('is recognized when it is %s', async (_, encode, share) => {
    expect(await shareSeen(encode)).toBeGreaterThanOrEqual(share);
  });

  test('has its boxes where they are drawn, to three pixels', async () => {
    for (const scene of scenes.slice(0, 8)) {
      const seen = (await see(await renderScene(scene))) as PartialScene;
      for (const { category, box } of seen.objects) {
        const drawn = scene.objects.find((object) => object.category === category)?.box;
        for (const [index, edge] of box.entries()) expect(Math.abs(edge - (drawn?.[index] ?? 999))).toBeLessThan(4);
      }
    }
  });

  test('without things is an empty scene', async () => {
    const empty = await sharp(Buffer.from(sceneToSvg({ ...(scenes[0] as Scene), objects: [] })))
      .png()
      .toBuffer();
    expect(await see(empty)).toMatchObject({ objects: [] });
  });
});

describe('anything else is nothing', () => {
  const plain = { create: { width: 160, height: 160, channels: 3, background: '#cc2222' } } as const;

  test.each([
    ['a plain color', sharp(plain).png()],
    [
      'noise',
      sharp({ ...plain, create: { ...plain.create, noise: { type: 'gaussian', mean: 128, sigma: 60 } } }).png(),
    ],
    ['an image of another shape', sharp(plain).resize(300, 160, { fit: 'fill' }).png()],
  ])('%s', async (_, image) => {
    expect(await see(await image.toBuffer())).toBeUndefined();
  });

  test('a photograph, even a square one', async (context) => {
    const file = sharedFile('real-slice/COCO2017/train2017/000000358083.jpg') ?? context.skip(noSharedFiles);
    const square = await sharp(file).resize(320, 320, { fit: 'cover' }).jpeg().toBuffer();
    expect(await see(square)).toBeUndefined();
  });
});
