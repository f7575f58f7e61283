import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { cropTo } from '../../../src/model/images/frame.ts';
import { randomCrop } from '../../../src/model/images/random-crop.ts';

const photo = { width: 640, height: 480 };
const boxes = Array.from({ length: 20_000 }, (_, draw) => randomCrop(photo, `1/${draw}`));
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

test('a part has 50 to 100 % of the area, 3:4 to 4:3, and lies within the image', () => {
  for (const { left, top, width, height } of boxes) {
    const share = (width * height) / (photo.width * photo.height);
    expect(share).toBeGreaterThan(0.495);
    expect(share).toBeLessThanOrEqual(1);
    expect(width / height).toBeGreaterThan(0.745);
    expect(width / height).toBeLessThan(1.34);
    expect(left + width).toBeLessThanOrEqual(photo.width);
    expect(top + height).toBeLessThanOrEqual(photo.height);
    expect(Math.min(left, top)).toBeGreaterThanOrEqual(0);
  }
});

// 20,000 draws of torchvision 0.29.1, RandomResizedCrop.get_params(640 x 480, (0.5, 1), (3/4, 4/3)), seed 0: the mean share of
// the area 0.6619, of left 0.5012, of top 0.4938, width by height 1.0951.
test('parts are spread as torchvision spreads them: sizes that do not fit are drawn again', () => {
  expect(mean(boxes.map(({ width, height }) => (width * height) / (640 * 480)))).toBeCloseTo(0.6619, 2);
  expect(mean(boxes.map(({ width, height }) => width / height))).toBeCloseTo(1.0951, 2);
  expect(Math.abs(mean(boxes.map(({ left, width }) => left / Math.max(1, 640 - width))) - 0.5012)).toBeLessThan(0.01);
  expect(Math.abs(mean(boxes.map(({ top, height }) => top / Math.max(1, 480 - height))) - 0.4938)).toBeLessThan(0.01);
});

test('the seed alone decides', () => {
  expect(randomCrop(photo, '1/7')).toEqual(boxes[7]);
});

test('of an image that no part fits it is the middle', () => {
  expect(randomCrop({ width: 1000, height: 100 }, '1')).toEqual({ left: 433, top: 0, width: 133, height: 100 });
  expect(randomCrop({ width: 100, height: 1000 }, '1')).toEqual({ left: 0, top: 433, width: 100, height: 133 });
});

test('the part is cut out as it is', () => {
  const image = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, index) => index) };
  const { data } = cropTo(image, { left: 1, top: 1, width: 2, height: 1 });
  expect([...data]).toEqual([12, 13, 14, 15, 16, 17]);
});

describe('in Python', () => {
  test('the parts are the same', async (context) => {
    const script = path.resolve('src/trainer/torch');
    const sizes = [photo, { width: 333, height: 500 }, { width: 900, height: 100 }, { width: 1, height: 1 }];
    const draws = sizes.flatMap(({ width, height }, size) =>
      Array.from({ length: 50 }, (_, draw) => [width, height, `${size}/${draw}`]),
    );
    const code = `import json, sys; sys.path.insert(0, ${JSON.stringify(script)}); from random_crop import crop_box; print(json.dumps([crop_box(*one) for one in json.loads(sys.argv[1])]))`;
    const found = await promisify(execFile)('python3', ['-c', code, JSON.stringify(draws)]).catch(() =>
      context.skip('needs python3'),
    );
    const wanted = draws.map(([width, height, seed]) => {
      const box = randomCrop({ width: width as number, height: height as number }, seed as string);
      return [box.left, box.top, box.width, box.height];
    });
    expect(JSON.parse(found.stdout)).toEqual(wanted);
  });
});
