import type { CocoIndex, CocoPicture } from '../datasets/coco.ts';

/** The pictures that a sample can be written about: with captions, and with boxes but not too many. */
export function suitablePictures(coco: CocoIndex, maximumBoxes: number): CocoPicture[] {
  return coco.pictures.filter(({ id }) => {
    const boxes = coco.boxes(id).length;
    return boxes > 0 && boxes <= maximumBoxes && coco.captions(id).length > 0;
  });
}
