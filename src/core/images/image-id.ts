import { z } from 'zod';
import { innerPath } from '../inside.ts';

/** File names of images. */
export const imageFileName = /\.(?:jpe?g|png|gif|webp|tiff?)$/i;
/** File names of images of kinds that are not read. */
export const otherImageFileName = /\.(?:avif|bmp|dng|hei[cf]|ico|jp2|jxl|p[bgnp]m|psd|raw|svg|tga)$/i;

/**
 * What identifies an image: COCO's number, or a text: the path of its file below the folder of images, such as
 * `line-2/0017.png`, or that path without the extension.
 */
export const imageIdSchema = z.union([z.int().nonnegative(), innerPath.max(1024)], {
  error: ({ input }) => (input === undefined ? 'is missing' : 'is neither a whole number nor a text'),
});

export type ImageId = z.output<typeof imageIdSchema>;

/** Orders ids for a sort: numbers by their value, then texts by their code units, alike on every machine. */
export function compareImageIds(left: ImageId, right: ImageId): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (typeof left !== typeof right) return typeof left === 'number' ? -1 : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}
