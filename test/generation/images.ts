import type { ImageId } from '../../src/core/images/image-id.ts';
import type { AnnotatedImage } from '../../src/datasets/coco.ts';

type Given = { id: ImageId } & Partial<Pick<AnnotatedImage, 'captions' | 'boxes'>>;

/** An annotated image of 100 by 200 pixels; it has one box and one caption by default. */
export function annotatedImage({
  id,
  captions = ['a cat on a door'],
  boxes = [{ category: 'cat', box: [10, 20, 50, 100] }],
}: Given): AnnotatedImage {
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

/** Images 1 to `count`. */
export function manyImages(count: number): AnnotatedImage[] {
  return Array.from({ length: count }, (_, index) => annotatedImage({ id: index + 1 }));
}
