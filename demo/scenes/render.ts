import sharp from 'sharp';
import { hashValue } from '../../src/core/hash.ts';
import type { RgbImage } from '../../src/core/images/open-image.ts';
import { BACKGROUND_DRAWINGS } from './backgrounds.ts';
import type { Scene, SceneObject } from './scene.ts';
import { type Paint, SHAPES } from './shapes.ts';
import type { Color } from './vocabulary.ts';

const FILLS: Readonly<Record<Color, string>> = {
  red: '#e3211c',
  orange: '#ff8a14',
  yellow: '#ffe11f',
  green: '#18a038',
  blue: '#1f5fe0',
  purple: '#8f2fd6',
  black: '#141414',
  white: '#ffffff',
};

const OUTLINE = '#262626';
const DARK_MARK = '#262626';
const LIGHT_MARK = '#c4c4c4';

/** How a thing of this color is painted. */
export function paintOf(color: Color): Paint {
  return { fill: FILLS[color], outline: OUTLINE, mark: color === 'black' ? LIGHT_MARK : DARK_MARK };
}

function drawObject({ category, color, box: [x, y, width, height] }: SceneObject): string {
  return `<g transform="translate(${x} ${y}) scale(${width / 100} ${height / 100})">${SHAPES[category](paintOf(color))}</g>`;
}

/** The standard deviation of the blur in pixels of the canvas. */
export const BLUR = 2.1;
/** The share of light that a dark image keeps. */
export const BRIGHTNESS = 0.5;
/** The largest change of a channel in a noisy image, of 255. */
const NOISE = 75;

/** Draws a scene as SVG, without the noise of a noisy image, which only pixels can carry. */
export function sceneToSvg(scene: Scene): string {
  const { width, height } = scene;
  const drawing = BACKGROUND_DRAWINGS[scene.background] + scene.objects.map(drawObject).join('');
  const blurred =
    scene.quality === 'blurry'
      ? `<defs><filter id="blur" x="0" y="0" width="1" height="1"><feGaussianBlur stdDeviation="${BLUR}"/></filter></defs><g filter="url(#blur)">${drawing}</g>`
      : drawing;
  const shade =
    scene.quality === 'dark'
      ? `<rect width="${width}" height="${height}" fill="#000000" opacity="${1 - BRIGHTNESS}"/>`
      : '';
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${blurred}${shade}</svg>`;
}

// xorshift32: a few nanoseconds a number, and the same on every machine.
function addNoise(pixels: Uint8Array, seed: number): void {
  let state = seed | 1;
  for (let index = 0; index < pixels.length; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const change = (((state >>> 16) & 0xffff) / 0xffff - 0.5) * 2 * NOISE;
    pixels[index] = Math.max(0, Math.min(255, Math.round((pixels[index] as number) + change)));
  }
}

async function drawPixels(scene: Scene): Promise<Uint8Array> {
  const pixels = await sharp(Buffer.from(sceneToSvg(scene)))
    .removeAlpha()
    .raw()
    .toBuffer();
  if (scene.quality === 'noisy') addNoise(pixels, Number.parseInt(hashValue(scene).slice(0, 8), 16));
  return pixels;
}

/** Renders a scene as a JPEG file of quality 90. The same scene gives the same bytes. */
export async function renderScene(scene: Scene): Promise<Buffer> {
  const pixels = await drawPixels(scene);
  return sharp(pixels, { raw: { width: scene.width, height: scene.height, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
}

/**
 * Renders a scene for training, past the JPEG file: what a model's preprocessing would see up to JPEG's own
 * small losses, in a fraction of the time.
 *
 * @param imageSize side of the result in pixels
 * @returns RGB bytes, [imageSize, imageSize, 3]
 */
export async function renderScenePixels(scene: Scene, imageSize: number): Promise<Uint8Array> {
  const pixels = await drawPixels(scene);
  return sharp(pixels, { raw: { width: scene.width, height: scene.height, channels: 3 } })
    .resize(imageSize, imageSize, { kernel: 'cubic', fit: 'fill' })
    .raw()
    .toBuffer();
}

/**
 * Draws elements of SVG over nothing.
 *
 * @param blur standard deviations in pixels, 0 for none: as blurry images have it, and as scaling down and up has it
 * @returns RGBA bytes, [height, width, 4]
 */
export async function drawElements(
  elements: string,
  { width, height, blur: [blurry, scaled] }: { width: number; height: number; blur: readonly [number, number] },
): Promise<Uint8Array> {
  const region = `filterUnits="userSpaceOnUse" x="0" y="0" width="${width}" height="${height}"`;
  const steps = [
    blurry > 0 ? `<feGaussianBlur stdDeviation="${blurry}"/>` : '',
    scaled > 0 ? `<feGaussianBlur stdDeviation="${scaled}" color-interpolation-filters="sRGB"/>` : '',
  ].join('');
  const filter = `<defs><filter id="blur" ${region}>${steps}</filter></defs>`;
  const drawing = steps === '' ? elements : `${filter}<g filter="url(#blur)">${elements}</g>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${drawing}</svg>`;
  return sharp(Buffer.from(svg)).ensureAlpha().raw().toBuffer();
}

/** Scales an image to a square. @returns RGB bytes, [side, side, 3] */
export async function scalePixels({ data, width, height }: RgbImage, side: number): Promise<Uint8Array> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(side, side, { fit: 'fill' })
    .raw()
    .toBuffer();
}
