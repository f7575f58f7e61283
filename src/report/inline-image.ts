/** Images in a page. Apart from `html.ts`, which the command line loads at its start: this loads the decoder of images. */
import { basename } from 'node:path';
import { encodeJpeg, shrinkImage } from '../core/images/open-image.ts';
import { escapeHtml, type Html } from './html.ts';

const side = 160;

/**
 * An image as an element that contains its bytes: a JPEG of at most 160 x 160 px. An image that can't be read becomes a
 * gray box, because a report with gaps is better than none.
 */
export async function inlineImage(file: string): Promise<Html> {
  const name = escapeHtml(basename(file));
  try {
    const jpeg = await encodeJpeg(await shrinkImage(file, side), 70);
    return `<img src="data:image/jpeg;base64,${jpeg.toString('base64')}" alt="${name}">`;
  } catch {
    return `<div class="no-image" role="img" aria-label="${name} can’t be read"></div>`;
  }
}
