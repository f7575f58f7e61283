import type { SceneImage } from './images.ts';
import { CATEGORIES, type Category, findCategory } from './vocabulary.ts';

// Fixed: the same options must give the same bytes.
const HEADER = {
  info: {
    description: 'Rendered demo scenes in the format of COCO 2017',
    url: '',
    version: '1.0',
    year: 2024,
    contributor: 'MLLM-DataEngine in TypeScript',
    date_created: '2024/01/01',
  },
  licenses: [{ url: 'https://www.apache.org/licenses/LICENSE-2.0', id: 1, name: 'Apache License 2.0' }],
};

function imageRecords(images: readonly SceneImage[]) {
  return images.map(({ id, fileName, scene }) => ({
    license: 1,
    file_name: fileName,
    coco_url: '',
    height: scene.height,
    width: scene.width,
    date_captured: '2024-01-01 00:00:00',
    flickr_url: '',
    id,
  }));
}

/** The content of `instances_<split>2017.json`. There are boxes and no outlines: `segmentation` is empty. */
export function instanceAnnotations(images: readonly SceneImage[]) {
  const annotations = images.flatMap(({ id, scene }) =>
    scene.objects.map(({ category, box }, index) => ({
      segmentation: [],
      area: box[2] * box[3],
      iscrowd: 0,
      image_id: id,
      bbox: box,
      category_id: (findCategory(category) as Category).id,
      id: id * 10 + index,
    })),
  );
  const categories = CATEGORIES.map(({ supercategory, id, name }) => ({ supercategory, id, name }));
  categories.sort((left, right) => left.id - right.id);
  return { ...HEADER, images: imageRecords(images), annotations, categories };
}

/** The content of `captions_<split>2017.json`. */
export function captionAnnotations(images: readonly SceneImage[]) {
  const annotations = images.flatMap(({ id, captions }) =>
    captions.map((caption, index) => ({ image_id: id, id: id * 10 + index, caption })),
  );
  return { ...HEADER, images: imageRecords(images), annotations };
}
