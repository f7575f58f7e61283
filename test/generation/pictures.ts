import type { AnnotatedPicture } from '../../src/datasets/coco.ts';

type Given = { id: number } & Partial<Pick<AnnotatedPicture, 'captions' | 'boxes'>>;

/** An annotated picture of 100 by 200 pixels; it has one box and one caption unless told otherwise. */
export function annotatedPicture({
  id,
  captions = ['a cat on a door'],
  boxes = [{ category: 'cat', box: [10, 20, 50, 100] }],
}: Given): AnnotatedPicture {
  return {
    id,
    fileName: `${String(id).padStart(12, '0')}.jpg`,
    width: 100,
    height: 200,
    captions,
    boxes,
    boxCount: boxes.length,
    captionCount: captions.length,
  };
}

/** Pictures 1 to `count`. */
export function manyPictures(count: number): AnnotatedPicture[] {
  return Array.from({ length: count }, (_, index) => annotatedPicture({ id: index + 1 }));
}
