import type { CocoIndex } from '../../datasets/coco.ts';

/** Annotated pictures for tests, of 100 by 200 pixels; each has one box and one caption unless told otherwise. */
export function cocoIndex(
  pictures: { id: number; captions?: string[]; boxes?: ReturnType<CocoIndex['boxes']> }[],
): CocoIndex {
  const byId = new Map(pictures.map((picture) => [picture.id, picture]));
  return {
    pictures: pictures.map(({ id }) => ({
      id,
      fileName: `${String(id).padStart(12, '0')}.jpg`,
      width: 100,
      height: 200,
    })),
    captions: (id) => byId.get(id)?.captions ?? ['a cat on a door'],
    boxes: (id) => byId.get(id)?.boxes ?? [{ category: 'cat', box: [10, 20, 50, 100] }],
  };
}

/** Pictures 1 to `count`. */
export function manyPictures(count: number): CocoIndex {
  return cocoIndex(Array.from({ length: count }, (_, index) => ({ id: index + 1 })));
}
