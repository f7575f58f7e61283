/** Images that look like nothing else, and the copies of them that people's folders are full of. */
import sharp, { type Sharp } from 'sharp';
import { seededRandom } from '../../../src/core/seeded-random.ts';

const [width, height] = [192, 144];

/** A blurred image of random colors, as PNG. */
export async function randomImage(seed: number | string): Promise<Buffer> {
  const random = seededRandom(seed).fork('image');
  const [columns, rows] = [12, 9];
  const data = Buffer.from(Array.from({ length: columns * rows * 3 }, () => random.integer(256)));
  return sharp(data, { raw: { width: columns, height: rows, channels: 3 } })
    .resize(width, height, { kernel: 'cubic' })
    .png()
    .toBuffer();
}

const change = (edit: (image: Sharp) => Sharp) => (image: Buffer) => edit(sharp(image)).toBuffer();

/** What somebody or some program did to a copy. */
export const copies: Record<string, (image: Buffer) => Promise<Buffer>> = {
  'encoded as a poor JPEG': change((image) => image.jpeg({ quality: 35 })),
  'half as large': change((image) => image.resize(width / 2)),
  'three times as large, as WebP': change((image) => image.resize(width * 3).webp()),
  stretched: change((image) => image.resize(width, width, { fit: 'fill' })),
  'cropped by 2 % on each side': change((image) =>
    image.extract({ left: 4, top: 3, width: width - 8, height: height - 6 }),
  ),
  'without its color': change((image) => image.grayscale()),
  'brighter and more colorful': change((image) => image.modulate({ brightness: 1.15, saturation: 1.4 })),
  'of other hues': change((image) => image.modulate({ hue: 20 })),
  'with more contrast': change((image) => image.linear(1.2, -20)),
  'turned by its EXIF alone': (image) => sharp(image).rotate(90).withMetadata({ orientation: 8 }).jpeg().toBuffer(),
};
