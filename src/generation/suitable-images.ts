import type { CocoImage } from '../datasets/coco.ts';

/** The images that a sample can be written about: with captions, and with boxes but not too many. */
export function suitableImages(images: readonly CocoImage[], maximumBoxes: number): CocoImage[] {
  return images.filter(({ boxCount, captionCount }) => boxCount > 0 && boxCount <= maximumBoxes && captionCount > 0);
}
