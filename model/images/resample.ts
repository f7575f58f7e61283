/** The filters of Pillow's `resize` that image processors use, by their names. */
export type ResampleFilter = 'bilinear' | 'bicubic';

/** An 8-bit RGB picture, row by row, the three values of a pixel side by side. */
export interface RgbPicture {
  width: number;
  height: number;
  data: Uint8Array | Uint8ClampedArray;
}

/**
 * Resizes a picture exactly as Pillow does, to the last bit: each output pixel is a weighted mean of the
 * input pixels under a filter that grows with the reduction, first along rows, then along columns, each
 * rounded to 8 bits (columns first where Pillow 13 goes columns first: earlier versions never do, and then
 * differ by at most 2 of 255 from this). libvips (in sharp) reduces in other steps and treats borders otherwise, which moves
 * values by several units; a model trained on Pillow's pictures should see Pillow's pictures.
 *
 * Source: `Resample.c` of Pillow, https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Resample.c
 */
export function resizePicture(picture: RgbPicture, width: number, height: number, filter: ResampleFilter): RgbPicture {
  const toWidth = (input: RgbPicture) =>
    input.width === width ? input : resizeRows(input, windowsOf(input.width, width, filter));
  const toHeight = (input: RgbPicture) =>
    input.height === height ? input : resizeColumns(input, windowsOf(input.height, height, filter));
  const fewerRows = picture.height - height;
  const columnsFirst = fewerRows > 0 && fewerRows > (picture.width - width) * 2;
  return columnsFirst ? toWidth(toHeight(picture)) : toHeight(toWidth(picture));
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

function windowsOf(inputSize: number, outputSize: number, filter: ResampleFilter): Window[] {
  const { support, weight } = filters[filter];
  const scale = inputSize / outputSize;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  return Array.from({ length: outputSize }, (_, position) => {
    const center = (position + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const end = Math.min(inputSize, Math.trunc(center + reach + 0.5));
    const weights = Float64Array.from({ length: end - start }, (_, offset) =>
      weight((offset + start - center + 0.5) * (1 / stretch)),
    );
    const total = weights.reduce((sum, value) => sum + value, 0);
    const inFixedPoint = Int32Array.from(weights, (value) => {
      const scaled = (value / total) * 2 ** fractionBits;
      return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    });
    return { start, weights: inFixedPoint };
  });
}

function resizeRows({ width, height, data }: RgbPicture, windows: readonly Window[]): RgbPicture {
  const resized = new Uint8ClampedArray(height * windows.length * 3);
  for (const [column, { start, weights }] of windows.entries()) {
    for (let row = 0; row < height; row++) {
      const from = (row * width + start) * 3;
      const to = (row * windows.length + column) * 3;
      blend(data, from, 3, weights, resized, to);
    }
  }
  return { width: windows.length, height, data: resized };
}

function resizeColumns({ width, data }: RgbPicture, windows: readonly Window[]): RgbPicture {
  const resized = new Uint8ClampedArray(windows.length * width * 3);
  for (const [row, { start, weights }] of windows.entries()) {
    for (let column = 0; column < width; column++) {
      blend(data, (start * width + column) * 3, width * 3, weights, resized, (row * width + column) * 3);
    }
  }
  return { width, height: windows.length, data: resized };
}

/** Writes the weighted mean of pixels that lie `step` bytes apart. */
function blend(
  data: RgbPicture['data'],
  from: number,
  step: number,
  weights: Int32Array,
  target: Uint8ClampedArray,
  to: number,
): void {
  const half = 2 ** (fractionBits - 1);
  let red = half;
  let green = half;
  let blue = half;
  for (let index = 0, at = from; index < weights.length; index++, at += step) {
    const weight = weights[index] as number;
    red += weight * (data[at] as number);
    green += weight * (data[at + 1] as number);
    blue += weight * (data[at + 2] as number);
  }
  target[to] = red >> fractionBits;
  target[to + 1] = green >> fractionBits;
  target[to + 2] = blue >> fractionBits;
}
