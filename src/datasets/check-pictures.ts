import { readFile, stat } from 'node:fs/promises';
import sharp from 'sharp';
import { InputError } from '../core/input-error.ts';
import { maximumPicturePixels, requirePictureKind } from '../core/picture-kind.ts';

/**
 * Makes sure that a picture is there and whole, by decoding all of it.
 *
 * @returns width and height in pixels, as they are stored
 *
 * @throws InputError naming the file, when it is missing, empty, cut short or no picture.
 */
export async function checkPicture(file: string): Promise<{ width: number; height: number }> {
  const facts = await stat(file).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR') throw cause;
    throw new InputError(
      { file, problem: 'no such picture', remedy: 'Check the picture folder, or fetch the picture again' },
      { cause },
    );
  });
  if (!facts.isFile()) throw new InputError({ file, problem: 'is not a file', remedy: 'Name a picture' });
  try {
    const content = await readFile(file);
    requirePictureKind(content, file);
    // A color space or a stray marker that libvips warns of is no harm: COCO has such files.
    const { info } = await sharp(content, { failOn: 'truncated', limitInputPixels: maximumPicturePixels })
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height };
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(
      {
        file,
        problem: `is cut short or not a picture (${(cause as Error).message.trim().split('\n')[0]})`,
        remedy: 'Fetch the picture again',
      },
      { cause },
    );
  }
}
