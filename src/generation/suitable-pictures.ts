import type { CocoPicture } from '../datasets/coco.ts';

/** The pictures that a sample can be written about: with captions, and with boxes but not too many. */
export function suitablePictures(pictures: readonly CocoPicture[], maximumBoxes: number): CocoPicture[] {
  return pictures.filter(({ boxCount, captionCount }) => boxCount > 0 && boxCount <= maximumBoxes && captionCount > 0);
}
