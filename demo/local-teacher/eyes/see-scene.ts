import type { RgbImage } from '../../../src/core/images/open-image.ts';
import { BLUR, BRIGHTNESS, scalePixels } from '../../scenes/render.ts';
import { type PartialObject, type PartialScene, placeOfBox } from '../../scenes/scene.ts';
import { BACKGROUNDS, type Background, type Quality } from '../../scenes/vocabulary.ts';
import { findThings } from './find-things.ts';
import { difference, halved, median } from './pixels.ts';
import { type Backgrounds, canvasSide, loadBackgrounds, loadThings } from './templates.ts';

// Mean differences of channels, of 255; found by trying thousands of scenes and hundreds of photographs.
const mostOfBackground = 16;
const mostUnexplained = { noisy: 20, other: 8 };
const leastOfNoise = 3.5;
const clearEdge = 12;
/** A larger difference between width and height is no scene's. */
const squareness = 1.05;
/** Below this side, sharp and blurry can't be told from each other. */
const leastSideForSharpness = 112;

/**
 * Recognizes a scene of the demo domain by its pixels: finds the background and the image's quality, then what each thing
 * that covers the background looks most like. Size, encoding and metadata of the file don't matter.
 *
 * @returns undefined for an image of anything else
 */
export async function seeScene(image: RgbImage): Promise<PartialScene | undefined> {
  const { width, height } = image;
  if (Math.max(width, height) > squareness * Math.min(width, height)) return undefined;
  const pixels = await toCanvas(image);
  const softness = softnessOf(Math.min(width, height));
  const { background, factor, distance } = findBackground(pixels, await loadBackgrounds([0, softness]));
  if (distance > mostOfBackground) return undefined;

  const quality = await findQuality(pixels, background, factor, softness);
  const blur = [quality === 'blurry' ? BLUR : 0, softness] as const;
  const behind = (await loadBackgrounds(blur)).get(background) as Float32Array;
  const { things, explained } = findThings(pixels, behind, await loadThings(blur), factor);
  // A photograph may resemble a background, but what covers it then are not things.
  const unexplained = difference(quarter(pixels), quarter(explained), 1, 0.95);
  if (unexplained > mostUnexplained[quality === 'noisy' ? 'noisy' : 'other']) return undefined;
  const isTooSmall = Math.min(width, height) < leastSideForSharpness && (quality === 'sharp' || quality === 'blurry');
  const objects = things.map(({ category, color, box }): PartialObject => {
    const size = box[2] > 38 ? 'large' : 'small';
    return { category, color, size, place: placeOfBox(box, canvasSide, canvasSide), box };
  });
  return { width: canvasSide, height: canvasSide, background, quality: isTooSmall ? undefined : quality, objects };
}

/** How soft a scene is that was scaled down and up again: the standard deviation of a blur of the same effect. */
function softnessOf(side: number): number {
  return side > 0.95 * canvasSide ? 0 : Math.round((5 * canvasSide) / side) / 10;
}

async function toCanvas(image: RgbImage): Promise<Float32Array> {
  const isExact = image.width === canvasSide && image.height === canvasSide;
  return Float32Array.from(isExact ? image.data : await scalePixels(image, canvasSide));
}

function quarter(image: Float32Array): Float32Array {
  return halved(halved(image, canvasSide, canvasSide, 3), canvasSide / 2, canvasSide / 2, 3);
}

/** The background that differs least, at full brightness or as a dark image has it. */
function findBackground(pixels: Float32Array, backgrounds: Backgrounds) {
  const small = quarter(pixels);
  const candidates = BACKGROUNDS.flatMap((background) => {
    const reference = quarter(backgrounds.get(background) as Float32Array);
    return [1, BRIGHTNESS].map((factor) => ({
      background,
      factor,
      distance: difference(small, reference, factor, 0.5),
    }));
  });
  return candidates.reduce((best, candidate) => (candidate.distance < best.distance ? candidate : best));
}

async function findQuality(
  pixels: Float32Array,
  background: Background,
  factor: number,
  softness: number,
): Promise<Quality> {
  if (factor !== 1) return 'dark';
  const clear = (await loadBackgrounds([0, softness])).get(background) as Float32Array;
  if (difference(pixels, clear, 1, 0.5) > leastOfNoise) return 'noisy';
  const soft = (await loadBackgrounds([BLUR, softness])).get(background) as Float32Array;
  const edges = [...clear.keys()].filter((at) => Math.abs((clear[at] as number) - (soft[at] as number)) > clearEdge);
  const distance = (reference: Float32Array) =>
    median(edges.map((at) => Math.abs((pixels[at] as number) - (reference[at] as number))));
  return distance(soft) < distance(clear) ? 'blurry' : 'sharp';
}
