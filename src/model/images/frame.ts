/** Cutting and framing images as Hugging Face's image processors do. */
import type { RgbImage } from '../../core/images/open-image.ts';
import type { CropBox } from './random-crop.ts';

/**
 * The middle of an image; what is outside of it is black. As `center_crop` of transformers'
 * `image_transforms.py`: of an odd difference the smaller half is cut off above and left.
 */
export function cropCenter(image: RgbImage, width: number, height: number): RgbImage {
  if (image.width === width && image.height === height) return image;
  const target = new Uint8Array(width * height * 3);
  place(
    image,
    { width, height, data: target },
    {
      top: Math.floor((image.height - height) / 2),
      left: Math.floor((image.width - width) / 2),
    },
  );
  return { width, height, data: target };
}

/** A part of an image, which lies within it. */
export function cropTo(image: RgbImage, { left, top, width, height }: CropBox): RgbImage {
  const target = { width, height, data: new Uint8Array(width * height * 3) };
  place(image, target, { top, left });
  return target;
}

/**
 * The image in the middle of a square as large as its longer edge, as `LlavaImageProcessor.pad_to_square`.
 *
 * @param color red, green and blue of the bars, 0 to 255
 */
export function padToSquare(image: RgbImage, color: readonly number[]): RgbImage {
  if (image.width === image.height) return image;
  const edge = Math.max(image.width, image.height);
  const data = new Uint8Array(edge * edge * 3);
  for (let index = 0; index < data.length; index++) data[index] = color[index % 3] as number;
  const square = { width: edge, height: edge, data };
  place(image, square, {
    top: -Math.floor((edge - image.height) / 2),
    left: -Math.floor((edge - image.width) / 2),
  });
  return square;
}

/** Copies the rows of `from` into `to`, whose first pixel is the pixel `top`, `left` of `from`. */
function place(
  from: RgbImage,
  to: { width: number; height: number; data: Uint8Array },
  { top, left }: { top: number; left: number },
): void {
  const firstColumn = Math.max(0, left);
  const columns = Math.min(from.width, left + to.width) - firstColumn;
  for (let row = Math.max(0, top); row < Math.min(from.height, top + to.height); row++) {
    const start = (row * from.width + firstColumn) * 3;
    const target = ((row - top) * to.width + firstColumn - left) * 3;
    to.data.set(from.data.subarray(start, start + columns * 3), target);
  }
}
