import { readFile, stat } from 'node:fs/promises';
import sharp from 'sharp';
import { maximumImagePixels, requireImageKind } from '../core/image-kind.ts';
import { InputError } from '../core/input-error.ts';

/**
 * Checks that an image exists and is complete, by decoding all of it.
 *
 * @returns width and height in pixels, as they are stored
 *
 * @throws InputError naming the file, when it is missing, empty, cut short or no image.
 */
export async function checkImage(file: string): Promise<{ width: number; height: number }> {
  const facts = await stat(file).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR') throw cause;
    throw new InputError(
      { file, problem: 'no such image', remedy: 'Check the image folder, or download the image again' },
      { cause },
    );
  });
  if (!facts.isFile()) throw new InputError({ file, problem: 'is not a file', remedy: 'Name an image' });
  try {
    const content = await readFile(file);
    requireImageKind(content, file);
    // Warnings of libvips about color spaces or stray markers don't matter: COCO has such files.
    const { info } = await sharp(content, { failOn: 'truncated', limitInputPixels: maximumImagePixels })
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height };
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(
      {
        file,
        problem: `is cut short or not an image (${(cause as Error).message.trim().split('\n')[0]})`,
        remedy: 'Download the image again',
      },
      { cause },
    );
  }
}
