import type { RgbImage } from '../../core/images/open-image.ts';

/** The filters of Pillow's `resize` that image processors use, by their names. */
export type ResampleFilter = 'bilinear' | 'bicubic';

/**
 * Resizes an image exactly as Pillow does, to the last bit: each output pixel is a weighted mean of the
 * input pixels under a filter that grows with the reduction, first along rows, then along columns, each
 * rounded to 8 bits (columns first where Pillow 13 goes columns first: earlier versions never do, and then
 * differ by at most 2 of 255 from this). libvips (in sharp) reduces in other steps and treats borders otherwise, which moves
 * values by several units; a model trained on Pillow's images should see Pillow's images.
 *
 * Source: `Resample.c` of Pillow, https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Resample.c
 */
export function resizeImage(image: RgbImage, width: number, height: number, filter: ResampleFilter): RgbImage {
  const toWidth = (input: RgbImage) =>
    input.width === width ? input : resizeRows(input, windowsOf(input.width, width, filter));
  const toHeight = (input: RgbImage) =>
    input.height === height ? input : resizeColumns(input, windowsOf(input.height, height, filter));
  const fewerRows = image.height - height;
  const columnsFirst = fewerRows > 0 && fewerRows > (image.width - width) * 2;
  return columnsFirst ? toWidth(toHeight(image)) : toHeight(toWidth(image));
}

const filters: Record<ResampleFilter, { support: number; weight: (distance: number) => number }> = {
  bilinear: { support: 1, weight: (distance) => Math.max(0, 1 - Math.abs(distance)) },
  bicubic: { support: 2, weight: cubicWeight },
};

/** Keys' cubic with a = -0.5 (Catmull-Rom). */
function cubicWeight(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/** Which input pixels make up an output pixel, from `start` on, and their weights in fixed point. */
interface Window {
  start: number;
  weights: Int32Array;
}

const fractionBits = 22;
const half = 2 ** (fractionBits - 1);

function windowsOf(inputSize: number, outputSize: number, filter: ResampleFilter): Window[] {
  const { support, weight } = filters[filter];
  const scale = inputSize / outputSize;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const windows: Window[] = [];
  const shares = new Float64Array(Math.ceil(reach) * 2 + 1);
  for (let position = 0; position < outputSize; position++) {
    const center = (position + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const count = Math.min(inputSize, Math.trunc(center + reach + 0.5)) - start;
    let total = 0;
    for (let offset = 0; offset < count; offset++) {
      const share = weight((offset + start - center + 0.5) * (1 / stretch));
      shares[offset] = share;
      total += share;
    }
    const weights = new Int32Array(count);
    for (let offset = 0; offset < count; offset++) {
      const scaled = ((shares[offset] as number) / total) * 2 ** fractionBits;
      weights[offset] = Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    }
    windows.push({ start, weights });
  }
  return windows;
}

function resizeRows({ width, height, data }: RgbImage, windows: readonly Window[]): RgbImage {
  const input = plainBytes(data);
  const resized = new Uint8ClampedArray(height * windows.length * 3);
  let to = 0;
  for (let row = 0; row < height; row++) {
    for (const { start, weights } of windows) {
      blend(input, (row * width + start) * 3, 3, weights, resized, to);
      to += 3;
    }
  }
  return { width: windows.length, height, data: resized };
}

function resizeColumns({ width, data }: RgbImage, windows: readonly Window[]): RgbImage {
  const input = plainBytes(data);
  const resized = new Uint8ClampedArray(windows.length * width * 3);
  let to = 0;
  for (const { start, weights } of windows) {
    for (let column = 0; column < width; column++) {
      blend(input, (start * width + column) * 3, width * 3, weights, resized, to);
      to += 3;
    }
  }
  return { width, height: windows.length, data: resized };
}

/** One class of array, whatever decoded the image: the engine compiles the innermost loop for one class only. */
function plainBytes(data: RgbImage['data']): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Writes the weighted mean of pixels that lie `step` bytes apart, in 32-bit integers: the sums stay below 2^31. */
function blend(
  data: Uint8Array,
  from: number,
  step: number,
  weights: Int32Array,
  target: Uint8ClampedArray,
  to: number,
): void {
  let red = half;
  let green = half;
  let blue = half;
  for (let index = 0, at = from; index < weights.length; index++, at += step) {
    const weight = weights[index] as number;
    red = (red + Math.imul(weight, data[at] as number)) | 0;
    green = (green + Math.imul(weight, data[at + 1] as number)) | 0;
    blue = (blue + Math.imul(weight, data[at + 2] as number)) | 0;
  }
  target[to] = red >> fractionBits;
  target[to + 1] = green >> fractionBits;
  target[to + 2] = blue >> fractionBits;
}
