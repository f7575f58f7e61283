/**
 * The one place that opens images: what a model is trained on, evaluated on and embeds, and what exports and reports contain
 * is the same pixels. `src/trainer/torch/images.py` opens them alike for PyTorch. A teacher is shown the same, in sRGB.
 */
import sharp, { type Metadata } from 'sharp';
import { budget } from '../budget.ts';
import type { InputError } from '../input-error.ts';
import { type ExifMode, type ImageKind, requireImageKind } from './image-kind.ts';
import { imageError, withImageFile } from './read-image-file.ts';

/** An 8-bit RGB image, row by row, the three values of a pixel side by side. */
export interface RgbImage {
  width: number;
  height: number;
  data: Uint8Array | Uint8ClampedArray;
}

export interface OpenSettings {
  /** Default: apply. */
  exif?: ExifMode | undefined;
  /** What becomes of a color profile; `convert`: colors are converted to sRGB by it. Default: ignore. */
  profile?: 'ignore' | 'convert' | undefined;
}

/** Enough for photographs of the largest cameras; a file of a few kilobytes can claim to be far larger. */
export const maximumImagePixels = 150_000_000;
/** Images that are decoded, or used by those who opened them, at the same time: half a gigabyte of RGB. */
const spendPixels = budget(160_000_000);
const [pngColorTypeAt, pngRgb] = [25, 2];
const inMemory = 'image in memory';

/**
 * Opens an image as 8-bit RGB, upright, the first of an animation: gray becomes three equal values, transparency is laid over
 * white, 16 bits are scaled to 8, CMYK is converted by the plain formula, and color profiles are ignored. With `exif: ignore`
 * that is what Hugging Face's image processors see (through Pillow), but for 16-bit gray, which Pillow cuts off at 255. An
 * orientation in a TIFF always counts, as Pillow can't open it otherwise.
 *
 * Images wait for one another when they have more than 160 million pixels together. They count until `use` is done, which must
 * not open another image.
 *
 * @param source the path of a regular file, or the content of one
 * @param use what is done with the image; the result is passed on
 * @throws InputError naming the file that is missing, cut short, no image or too large
 * @example
 * const [width, height] = await openImage(file, {}, (image) => [image.width, image.height]);
 */
export async function openImage<R>(
  source: string | Buffer,
  settings: OpenSettings,
  use: (image: RgbImage) => R | Promise<R>,
): Promise<R> {
  return withContent(source, async (image) => withPixels(image, settings, use));
}

/** An image as programs outside of this one take it. */
export interface PortableImage {
  kind: ImageKind;
  content: Buffer;
  /** Whether it is another image than the file, a PNG of what `openImage` gives. */
  isCopy: boolean;
}

/**
 * An image file for programs that open it in their own way, such as a teacher's API: the file's own bytes where any of them
 * sees the pixels that `openImage` gives, otherwise a PNG of those pixels.
 *
 * @throws InputError as `openImage` does
 */
export async function portableImage(file: string, settings: OpenSettings): Promise<PortableImage> {
  return withContent(file, async (image) => {
    const { content, facts } = image;
    if (looksTheSameAnywhere(facts)) return { kind: requireImageKind(content, file), content, isCopy: false };
    const png = await withPixels(image, settings, encodePng);
    return { kind: 'png', content: png, isCopy: true };
  });
}

/** The kind that `portableImage` gives; nothing is decoded. @throws InputError as that does */
export async function portableKind(file: string): Promise<ImageKind> {
  return withContent(file, async ({ content, facts }) =>
    looksTheSameAnywhere(facts) ? requireImageKind(content, file) : 'png',
  );
}

const [freshQuality, freshChroma] = [90, '4:4:4'];

/**
 * An image file for a service that is shown it: its pixels as `openImage` gives them, in sRGB, encoded anew, so that nothing
 * else of the file is left: no EXIF, GPS, XMP, IPTC, text, color profile or thumbnail. A JPEG becomes a JPEG, of quality 90
 * and without chroma subsampling; any other kind a PNG. The same file gives the same bytes, with the same version of sharp.
 *
 * @param settings.longestSide pixels; a larger image is scaled down
 * @throws InputError as `openImage` does
 */
export async function encodeAnew(
  file: string,
  { longestSide, ...settings }: OpenSettings & { longestSide: number },
): Promise<{ kind: 'jpeg' | 'png'; content: Buffer }> {
  return withContent(file, async (image) => {
    const kind = requireImageKind(image.content, file) === 'jpeg' ? 'jpeg' : 'png';
    const content = await withPixels(image, { profile: 'convert', ...settings }, (pixels) => {
      const small = shrunk(pixels, longestSide);
      return (
        kind === 'jpeg' ? small.jpeg({ quality: freshQuality, chromaSubsampling: freshChroma }) : small.png()
      ).toBuffer();
    });
    return { kind, content };
  });
}

/** Width and height of an image as `openImage` gives it, by its head alone. @throws InputError as `openImage` does */
export async function imageSize(
  source: string | Buffer,
  { exif = 'apply' }: OpenSettings,
): Promise<{ width: number; height: number }> {
  return withContent(source, async ({ facts: { format, width, height, autoOrient } }) =>
    exif === 'apply' || format === 'tiff' ? { width: autoOrient.width, height: autoOrient.height } : { width, height },
  );
}

/**
 * Reads an image to its last row, and keeps none of its pixels: whoever opens it later finds it whole.
 *
 * @returns its width and height as it is stored
 * @throws InputError as `openImage` does
 */
export async function requireWholeImage(source: string | Buffer): Promise<{ width: number; height: number }> {
  return withContent(source, async ({ content, file, facts }) => {
    requirePhotograph(content, file, facts);
    const { width, height } = facts;
    const lastPixel = { left: width - 1, top: height - 1, width: 1, height: 1 };
    const options = { failOn: 'truncated', limitInputPixels: maximumImagePixels, sequentialRead: true } as const;
    await spendPixels(width * height, () => sharp(content, options).extract(lastPixel).raw().toBuffer()).catch(
      (cause: Error) => {
        throw unreadable(file, cause);
      },
    );
    return { width, height };
  });
}

/** A small copy of an image, no larger than a square of this side and never larger than the image itself. */
export async function shrinkImage(file: string, side: number, settings: OpenSettings = {}): Promise<RgbImage> {
  return openImage(file, settings, async (image) => {
    const { data, info } = await shrunk(image, side).raw().toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data };
  });
}

/**
 * The brightness of an image, squeezed into a square of this side: row by row, a byte a pixel.
 *
 * @throws InputError as `openImage` does
 */
export async function squareBrightness(
  source: string | Buffer,
  side: number,
  settings: OpenSettings,
): Promise<Uint8Array> {
  return openImage(source, settings, (image) =>
    encoder(image).resize({ width: side, height: side, fit: 'fill' }).toColourspace('b-w').raw().toBuffer(),
  );
}

/** The pixels as they are, and nothing else. */
export function encodePng(image: RgbImage): Promise<Buffer> {
  return encoder(image).png().toBuffer();
}

/** @param quality 1 to 100 */
export function encodeJpeg(image: RgbImage, quality: number): Promise<Buffer> {
  return encoder(image).jpeg({ quality }).toBuffer();
}

function shrunk(image: RgbImage, side: number) {
  return encoder(image).resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true });
}

function encoder({ data, width, height }: RgbImage) {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** An image that is read, but not decoded. */
interface StoredImage {
  content: Buffer;
  /** What errors name. */
  file: string;
  facts: Metadata;
}

async function withContent<R>(source: string | Buffer, work: (image: StoredImage) => Promise<R>): Promise<R> {
  const read = async (content: Buffer, file: string) => work({ content, file, facts: await readFacts(content, file) });
  // Read here, because libvips remembers files by name and would not see that one has been replaced.
  if (typeof source === 'string') return withImageFile(source, (content) => read(content, source));
  requireImageKind(source, inMemory);
  return read(source, inMemory);
}

function withPixels<R>(
  image: StoredImage,
  settings: OpenSettings,
  use: (image: RgbImage) => R | Promise<R>,
): Promise<R> {
  const { width, height } = image.facts;
  return spendPixels(width * height, async () => use(await decode(image, settings)));
}

/** What the head of an image says; nothing is decoded. */
async function readFacts(content: Buffer, file: string): Promise<Metadata> {
  const facts = await sharp(content, { limitInputPixels: false })
    .metadata()
    .catch((cause: Error) => {
      throw unreadable(file, cause);
    });
  const pixels = facts.width * facts.height;
  if (pixels <= maximumImagePixels) return facts;
  throw imageError(file, `claims ${pixels} pixels, more than the ${maximumImagePixels} that an image may have`);
}

function looksTheSameAnywhere({ format, space, depth, hasAlpha, orientation = 1, pages = 1 }: Metadata): boolean {
  const isPlain = (space === 'srgb' || space === 'b-w') && depth === 'uchar' && !hasAlpha;
  return isPlain && orientation === 1 && pages === 1 && format !== 'tiff';
}

async function decode(
  { content, file, facts }: StoredImage,
  { exif = 'apply', profile = 'ignore' }: OpenSettings,
): Promise<RgbImage> {
  const { format, space, hasProfile } = facts;
  requirePhotograph(content, file, facts);
  const ignoreIcc = profile === 'ignore' || !hasProfile;
  try {
    const stored = sharp(content, { failOn: 'truncated', ignoreIcc, limitInputPixels: maximumImagePixels });
    const image = exif === 'apply' || format === 'tiff' ? stored.autoOrient() : stored;
    const isCmyk = space === 'cmyk' && ignoreIcc;
    const converted = isCmyk ? image.pipelineColourspace('cmyk').toColourspace('cmyk') : image.toColourspace('srgb');
    const { data, info } = await converted.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    const rgb = isCmyk ? fromCmyk(data) : info.channels === 3 ? data : withoutAlpha(data, info.channels);
    return { width: info.width, height: info.height, data: rgb };
  } catch (cause) {
    throw unreadable(file, cause as Error);
  }
}

/** @throws InputError for colors that no photograph has */
function requirePhotograph(content: Buffer, file: string, { format, space, depth, hasAlpha }: Metadata): void {
  // A color of 16 bits that stands for what is transparent: Pillow can't tell it from its neighbors.
  const isKeyed = format === 'png' && space === 'rgb16' && hasAlpha && content[pngColorTypeAt] === pngRgb;
  if (depth !== 'uint' && depth !== 'int' && space !== 'lab' && !isKeyed) return;
  throw imageError(file, `has a color space or depth that no photograph has (${space}, ${depth})`);
}

function unreadable(file: string, cause: Error): InputError {
  const [firstLine = 'unknown reason'] = cause.message.split('\n');
  return imageError(file, `is cut short or not an image (${firstLine.trim()})`, cause);
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
