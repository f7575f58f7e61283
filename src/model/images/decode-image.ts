import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { maximumImagePixels, requireImageKind } from '../../core/image-kind.ts';
import { InputError } from '../../core/input-error.ts';
import type { RgbImage } from './resample.ts';

/**
 * Decodes an image to 8-bit RGB as Hugging Face's image processors do (through Pillow): gray becomes
 * three equal values, transparency is laid over white, CMYK is converted by the plain formula, color
 * profiles and the EXIF orientation are ignored. Only 16-bit gray differs: Pillow cuts it off at 255, here
 * it is scaled.
 *
 * @param source the path of an image, or its content
 * @throws InputError naming the file that is missing, cut short or no image.
 */
export async function decodeImage(source: string | Buffer): Promise<RgbImage> {
  // Read here, because libvips remembers files by name and would not see that one has been replaced.
  const content = typeof source === 'string' ? await readImage(source) : source;
  try {
    requireImageKind(content, typeof source === 'string' ? source : 'image in memory');
    const image = sharp(content, { failOn: 'truncated', ignoreIcc: true, limitInputPixels: maximumImagePixels });
    const isCmyk = (await image.metadata()).space === 'cmyk';
    const converted = isCmyk ? image.pipelineColourspace('cmyk').toColourspace('cmyk') : image.toColourspace('srgb');
    const { data, info } = await converted.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    const rgb = isCmyk ? fromCmyk(data) : info.channels === 3 ? data : withoutAlpha(data, info.channels);
    return { width: info.width, height: info.height, data: rgb };
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw badImage(typeof source === 'string' ? source : 'image in memory', cause as Error);
  }
}

/**
 * The content of an image's file.
 *
 * @throws InputError naming the file that is missing or can't be read.
 */
export async function readImage(file: string): Promise<Buffer> {
  return readFile(file).catch((cause: Error) => {
    throw badImage(file, cause);
  });
}

function badImage(file: string, cause: Error): InputError {
  const remedy = 'Download the image again, or take it out of the dataset';
  return new InputError({ file, problem: problemOf(cause), remedy }, { cause });
}

function problemOf(error: Error): string {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'no such image';
  const [firstLine = 'unknown reason'] = error.message.split('\n');
  return `the image can't be read, it may be cut short (${firstLine.trim()})`;
}

/** From gray, gray with alpha, or RGB with alpha. */
function withoutAlpha(data: Uint8Array, channels: number): Uint8Array {
  const rgb = new Uint8Array((data.length / channels) * 3);
  for (let from = 0, to = 0; from < data.length; from += channels, to += 3) {
    const alpha = channels % 2 === 0 ? (data[from + channels - 1] as number) : 255;
    for (let channel = 0; channel < 3; channel++) {
      const value = data[from + (channels < 3 ? 0 : channel)] as number;
      rgb[to + channel] = alpha === 255 ? value : overWhite(value, alpha);
    }
  }
  return rgb;
}

/** Pillow's `alpha_composite` on white, in its fixed point (`AlphaComposite.c`). */
function overWhite(value: number, alpha: number): number {
  const weighted = value * alpha * 128 + 255 * (255 - alpha) * 128 + 0x80 * 128;
  return ((weighted >> 8) + weighted) >> 15;
}

/** Pillow's `cmyk2rgb` (`Convert.c`). */
function fromCmyk(data: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    const light = 255 - (data[from + 3] as number);
    for (let channel = 0; channel < 3; channel++) {
      const product = (data[from + channel] as number) * light + 128;
      rgb[to + channel] = light - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
}
