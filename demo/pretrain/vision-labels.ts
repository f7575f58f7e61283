/** What is where in a scene, as class numbers: the targets of vision pretraining. */
import type { Scene } from '../scenes/scene.ts';
import { BACKGROUNDS, CATEGORY_NAMES, COLORS, PLACES, QUALITIES, SIZES } from '../scenes/vocabulary.ts';
import type { VisionTargets } from './domain.ts';

/** Classes of each label; the last of an object's classes means that there is no object. */
const OBJECT_CLASSES = {
  category: CATEGORY_NAMES.length + 1,
  color: COLORS.length + 1,
  size: SIZES.length + 1,
} as const;
const IMAGE_CLASSES = { background: BACKGROUNDS.length, quality: QUALITIES.length } as const;

type ObjectLabel = keyof typeof OBJECT_CLASSES;
type ImageLabel = keyof typeof IMAGE_CLASSES;

const nothing: Record<ObjectLabel, number> = {
  category: CATEGORY_NAMES.length,
  color: COLORS.length,
  size: SIZES.length,
};

type SceneObject = Scene['objects'][number];

function labelsOf(object: SceneObject | undefined): Record<ObjectLabel, number> {
  if (!object) return nothing;
  return {
    category: CATEGORY_NAMES.indexOf(object.category),
    color: COLORS.indexOf(object.color),
    size: SIZES.indexOf(object.size),
  };
}

/** Labels of the nine places, in the order of `PLACES`. */
function placeLabels(scene: Scene): Record<ObjectLabel, number>[] {
  return PLACES.map((place) => labelsOf(scene.objects.find((object) => object.place === place)));
}

/** Labels of a grid of patches, row by row: the object whose box holds the patch's center. */
function patchLabels(scene: Scene, patchesPerSide: number): Record<ObjectLabel, number>[] {
  return Array.from({ length: patchesPerSide ** 2 }, (_, patch) => {
    const x = ((patch % patchesPerSide) + 0.5) * (scene.width / patchesPerSide);
    const y = (Math.floor(patch / patchesPerSide) + 0.5) * (scene.height / patchesPerSide);
    const inside = ({ box: [left, top, width, height] }: SceneObject) =>
      x >= left && x < left + width && y >= top && y < top + height;
    return labelsOf(scene.objects.find(inside));
  });
}

/** Labels of the whole image. */
function imageLabels(scene: Scene): Record<ImageLabel, number> {
  return { background: BACKGROUNDS.indexOf(scene.background), quality: QUALITIES.indexOf(scene.quality) };
}

export const sceneTargets: VisionTargets<Scene> = {
  objectClasses: OBJECT_CLASSES,
  imageClasses: IMAGE_CLASSES,
  places: PLACES.length,
  placeLabels,
  patchLabels,
  imageLabels,
};
