import { type OpenSettings, openImage } from '../core/images/open-image.ts';

/**
 * Checks that an image exists and is complete, by decoding all of it.
 *
 * @returns width and height in pixels, as a model sees it
 * @throws InputError naming the file, when it is missing, empty, cut short, no image or too large
 */
export function checkImage(file: string, settings: OpenSettings = {}): Promise<{ width: number; height: number }> {
  return openImage(file, settings, ({ width, height }) => ({ width, height }));
}
