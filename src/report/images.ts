import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import sharp from 'sharp';
import { maximumImagePixels, requireImageKind } from '../core/image-kind.ts';
import { escapeHtml, type Html } from './html.ts';

const side = 160;

/**
 * An image as an element that carries its own bytes: a JPEG of at most 160 x 160 px. One that can't be
 * read becomes a gray box, because a report with a hole is worth more than none.
 */
export async function inlineImage(file: string): Promise<Html> {
  const name = escapeHtml(basename(file));
  try {
    const content = await readFile(file);
    requireImageKind(content, file);
    const jpeg = await sharp(content, { limitInputPixels: maximumImagePixels })
      .autoOrient()
      .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
      .flatten({ background: '#ffffff' })
      .jpeg({ quality: 70 })
      .toBuffer();
    return `<img src="data:image/jpeg;base64,${jpeg.toString('base64')}" alt="${name}">`;
  } catch {
    return `<div class="no-image" role="img" aria-label="${name} can’t be read"></div>`;
  }
}
