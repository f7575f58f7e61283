/** The augmentation of the reference system's training: a random part of an image, in the size of the model. */
import { hash } from 'node:crypto';

export interface CropBox {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Share of the image's area, and width by height, as the reference's `Blip2ImageTrainProcessor` has them. */
const SCALE = [0.5, 1] as const;
const RATIO = [3 / 4, 4 / 3] as const;
const ATTEMPTS = 10;

/**
 * The part that torchvision's `RandomResizedCrop(scale=(0.5, 1))` would keep, if its random numbers were these:
 * number n is the SHA-256 of `<seed>/<n>` as a fraction. `src/trainer/torch/random_crop.py` draws the same.
 *
 * @param seed one for each time that an image is shown
 * @example
 * randomCrop({ width: 640, height: 480 }, '42/augmentation/17')
 */
export function randomCrop({ width, height }: { width: number; height: number }, seed: string): CropBox {
  let drawn = 0;
  const uniform = () => {
    const digest = hash('sha256', `${seed}/${drawn++}`, 'buffer');
    return digest.readUIntBE(0, 6) / 2 ** 48;
  };
  const between = ([low, high]: readonly [number, number]) => low + (high - low) * uniform();
  const round = (value: number) => Math.floor(value + 0.5);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const area = width * height * between(SCALE);
    const ratio = Math.exp(between([Math.log(RATIO[0]), Math.log(RATIO[1])]));
    const size = { width: round(Math.sqrt(area * ratio)), height: round(Math.sqrt(area / ratio)) };
    if (size.width < 1 || size.height < 1 || size.width > width || size.height > height) continue;
    const top = Math.floor(uniform() * (height - size.height + 1));
    const left = Math.floor(uniform() * (width - size.width + 1));
    return { left, top, ...size };
  }
  // None fits an image much wider or higher than the ratios: then its middle.
  const size = { width, height };
  if (width / height < RATIO[0]) size.height = round(width / RATIO[0]);
  else if (width / height > RATIO[1]) size.width = round(height * RATIO[1]);
  const middle = (whole: number, part: number) => Math.floor((whole - part) / 2);
  return { left: middle(width, size.width), top: middle(height, size.height), ...size };
}
