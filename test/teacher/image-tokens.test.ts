import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { imageTokens, imageUrlTokens, limitedSize } from '../../src/teacher/image-tokens.ts';

type Row = [model: string, width: number, height: number, detail: 'low' | 'high', tokens: number];

describe('the tokens of an image, by the rule of its model', () => {
  // https://developers.openai.com/api/docs/guides/images-vision, with the examples of its earlier versions.
  it.each<Row>([
    ['gpt-4o', 1024, 1024, 'high', 765],
    ['gpt-4o', 2048, 4096, 'high', 1105],
    ['gpt-4o', 4096, 8192, 'low', 85],
    ['gpt-5.4', 1024, 1024, 'high', 1229],
    ['gpt-5.4', 2048, 2048, 'high', 3000],
    ['o4-mini', 1800, 2400, 'high', Math.ceil(1452 * 1.72)],
    ['gpt-4.1-nano', 1024, 1024, 'low', Math.ceil(1024 * 2.46)],
  ])('is that of the published example: %s, %d × %d, %s', (model, width, height, detail, tokens) => {
    expect(imageTokens(model, { width, height }, detail)).toBe(tokens);
  });

  it.each<Row>([
    ['gpt-4', 640, 480, 'low', 85],
    ['gpt-4-turbo-2024-04-09', 512, 512, 'high', 85 + 170],
    ['gpt-4-1106-vision-preview', 513, 512, 'high', 85 + 2 * 170],
    ['gpt-4.1', 640, 480, 'high', 85 + 2 * 170],
    ['openai/gpt-4o-mini-2024-07-18', 512, 512, 'high', 2833 + 5667],
    ['gpt-4o-mini', 512, 512, 'low', 2833],
    ['ft:gpt-4o-2024-08-06:org::id', 512, 512, 'high', 85 + 170],
    ['gpt-5-chat-latest', 640, 480, 'low', 70],
    ['gpt-5.1', 640, 480, 'high', 70 + 2 * 140],
    ['o3', 640, 480, 'high', 75 + 2 * 150],
    ['gpt-4.1-mini-2025-04-14', 640, 480, 'high', Math.ceil(20 * 15 * 1.62)],
    ['gpt-5-mini', 33, 1, 'high', 3],
    ['gpt-5.6-sol', 1024, 768, 'low', Math.ceil(16 * 12 * 1.2)],
  ])('holds for its variants: %s, %d × %d, %s', (model, width, height, detail, tokens) => {
    expect(imageTokens(model, { width, height }, detail)).toBe(tokens);
  });

  it('is never below what common open models count where none is published', () => {
    for (const name of ['Qwen/Qwen2.5-VL-7B-Instruct', 'my-deployment', 'gpt-4o-of-mine', 'gpt-7']) {
      expect(imageTokens(name, { width: 10, height: 10 }, 'low')).toBe(1024);
      expect(imageTokens(name, { width: 1400, height: 1401 }, 'low')).toBe(50 * 51);
    }
  });

  it('is limited for every size, and never less for a larger image', () => {
    for (const model of ['gpt-4o', 'gpt-5.5', 'gpt-5.2', 'gpt-4.1-nano', 'o1']) {
      const of = (width: number, height: number) => imageTokens(model, { width, height }, 'high');
      expect(of(20_000, 20_000)).toBeLessThanOrEqual(6144 * 1.2);
      expect(of(20_000, 1)).toBeGreaterThan(0);
      expect(of(1, 20_000)).toBe(of(20_000, 1));
      expect(of(900, 900)).toBeGreaterThan(of(500, 500));
    }
  });
});

describe('the tokens of an image that is sent', () => {
  it('follow from the head of what is sent, whichever of the two kinds', async () => {
    for (const kind of ['jpeg', 'png'] as const) {
      const content = await sharp({ create: { width: 640, height: 33, channels: 3, background: 'red' } })
        .toFormat(kind)
        .toBuffer();
      const url = `data:image/${kind};base64,${content.toString('base64')}`;
      expect(imageUrlTokens('gpt-5-mini', url, 'high')).toBe(Math.ceil(20 * 2 * 1.2));
    }
  });

  it('are those of the largest image where the size is unknown', () => {
    for (const url of ['https://a/b.jpg', 'data:,', 'data:image/png;base64,', 'data:image/jpeg;base64,/9j/4AAA']) {
      expect(imageUrlTokens('gpt-5.2', url, 'high')).toBe(Math.ceil(64 * 64 * 1.2));
    }
  });

  it('are those of the size that sharp scales to', async () => {
    for (const [width, height] of [
      [999, 333],
      [333, 999],
      [1000, 1],
      [77, 76],
      [40, 40],
    ] as const) {
      const { info } = await sharp({ create: { width, height, channels: 3, background: 'red' } })
        .resize({ width: 76, height: 76, fit: 'inside', withoutEnlargement: true })
        .png()
        .toBuffer({ resolveWithObject: true });
      expect(limitedSize({ width, height }, 76)).toEqual({ width: info.width, height: info.height });
    }
  });
});
