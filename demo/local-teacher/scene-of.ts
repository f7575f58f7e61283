import type { PartialScene } from '../scenes/scene.ts';
import { sceneFromAnnotations } from '../scenes/scene-from-annotations.ts';
import type { ImageFacts } from './read-prompt.ts';

// The prompt tells places as shares; the scene wants a unit that its boxes are whole numbers of.
const side = 1000;

/** What a prompt's facts say of a scene. */
export function sceneOf({ captions, boxes }: ImageFacts): PartialScene {
  const pixels = boxes.map(({ category, edges: [left, top, right, bottom] }) => ({
    category,
    box: [left, top, right - left, bottom - top].map((share) => Math.round(share * side)) as [
      number,
      number,
      number,
      number,
    ],
  }));
  return sceneFromAnnotations({ captions, boxes: pixels, width: side, height: side });
}
