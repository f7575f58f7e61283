import sharp from 'sharp';
import { expect, test } from 'vitest';
import { openImage, requireWholeImage } from '../../../src/core/images/open-image.ts';

const noise = sharp({
  create: {
    width: 300,
    height: 200,
    channels: 3,
    background: '#888',
    noise: { type: 'gaussian', mean: 128, sigma: 60 },
  },
});
const kinds = {
  jpeg: noise.clone().jpeg(),
  'progressive JPEG': noise.clone().jpeg({ progressive: true }),
  png: noise.clone().png(),
  'interlaced PNG': noise.clone().png({ progressive: true }),
  gif: noise.clone().gif(),
  webp: noise.clone().webp(),
  tiff: noise.clone().tiff(),
};

test.each(Object.keys(kinds) as (keyof typeof kinds)[])(
  'a whole %s is taken, and one that is cut short refused where opening refuses it',
  async (kind) => {
    const content = await kinds[kind].toBuffer();
    expect(await requireWholeImage(content)).toEqual({ width: 300, height: 200 });
    for (const part of [0.1, 0.5, 0.9, 0.99]) {
      const cut = content.subarray(0, Math.floor(content.length * part));
      const refusal = (work: Promise<unknown>) =>
        work.then(
          () => undefined,
          (error: Error) => error.name,
        );
      const opened = await refusal(openImage(cut, {}, () => undefined));
      expect(await refusal(requireWholeImage(cut))).toBe(opened);
    }
    const half = content.subarray(0, content.length / 2);
    await expect(requireWholeImage(half)).rejects.toThrow(/image in memory: is cut short or not an image/);
  },
);
