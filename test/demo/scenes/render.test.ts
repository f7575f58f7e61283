import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { renderScene, renderScenePixels, sceneToSvg } from '../../../demo/scenes/render.ts';
import { randomScene, type Scene } from '../../../demo/scenes/scene.ts';
import { CATEGORY_NAMES, COLORS, QUALITIES } from '../../../demo/scenes/vocabulary.ts';
import { hashBytes } from '../../../src/core/hash.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';

const scene = (changes: Partial<Scene> = {}): Scene => ({
  ...randomScene(seededRandom('render test')),
  quality: 'sharp',
  ...changes,
});

function meanOf(pixels: Uint8Array): number {
  return pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
}

describe('renderScene', () => {
  it.each(QUALITIES)('gives the same %s JPEG of 160x160 pixels twice', async (quality) => {
    const first = await renderScene(scene({ quality }));
    expect(hashBytes(first)).toBe(hashBytes(await renderScene(scene({ quality }))));
    expect(await sharp(first).metadata()).toMatchObject({ format: 'jpeg', width: 160, height: 160, channels: 3 });
  });

  it('shows a thing in its color at its place', async () => {
    const only = scene({
      objects: [{ category: 'bus', color: 'red', size: 'large', place: 'middle', box: [56, 56, 48, 48] }],
    });
    const { data } = await sharp(await renderScene(only))
      .raw()
      .toBuffer({ resolveWithObject: true });
    // The lower half of the bus, under its windows.
    const offset = ((56 + 32) * 160 + (56 + 20)) * 3;
    const [red = 0, green = 0, blue = 0] = data.subarray(offset, offset + 3);
    expect(red).toBeGreaterThan(190);
    expect(Math.max(green, blue)).toBeLessThan(80);
  });

  it('draws each category and each color differently', async () => {
    const object = { size: 'large', place: 'middle', box: [56, 56, 48, 48] } as const;
    const drawings = CATEGORY_NAMES.flatMap((category) =>
      COLORS.map((color) => sceneToSvg(scene({ objects: [{ ...object, box: [...object.box], category, color }] }))),
    );
    expect(new Set(drawings).size).toBe(CATEGORY_NAMES.length * COLORS.length);
  });
});

describe('renderScenePixels', () => {
  it('gives RGB bytes that hardly differ from the JPEG, resized the same way', async () => {
    for (const quality of QUALITIES) {
      const pixels = await renderScenePixels(scene({ quality }), 96);
      expect(pixels).toHaveLength(96 * 96 * 3);
      const fromFile = await sharp(await renderScene(scene({ quality })))
        .resize(96, 96, { kernel: 'cubic' })
        .raw()
        .toBuffer();
      const difference = meanOf(pixels.map((value, index) => Math.abs(value - (fromFile[index] as number))));
      // JPEG halves the resolution of color, which takes most away from colored noise.
      expect(difference).toBeLessThan(quality === 'noisy' ? 12 : 3);
    }
  });

  it('makes a dark image half as bright, and a blurry one smoother', async () => {
    const sharpPixels = await renderScenePixels(scene(), 96);
    const dark = await renderScenePixels(scene({ quality: 'dark' }), 96);
    expect(meanOf(dark) / meanOf(sharpPixels)).toBeCloseTo(0.5, 1);

    const roughness = (pixels: Uint8Array) =>
      meanOf(pixels.map((value, index) => Math.abs(value - (pixels[index - 3] ?? value))));
    const blurry = await renderScenePixels(scene({ quality: 'blurry' }), 96);
    const noisy = await renderScenePixels(scene({ quality: 'noisy' }), 96);
    expect(roughness(blurry)).toBeLessThan(0.8 * roughness(sharpPixels));
    expect(roughness(noisy)).toBeGreaterThan(1.5 * roughness(sharpPixels));
  });
});
