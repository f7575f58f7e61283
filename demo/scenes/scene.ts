import type { SeededRandom } from '../../src/core/seeded-random.ts';
import {
  BACKGROUNDS,
  type Background,
  CATEGORY_NAMES,
  type CategoryName,
  COLORS,
  type Color,
  PLACES,
  type Place,
  QUALITIES,
  QUALITY_WEIGHTS,
  type Quality,
  SIZES,
  type Size,
} from './vocabulary.ts';

/** Left, top, width and height in pixels of the image, as in COCO's annotations. */
export type Box = [x: number, y: number, width: number, height: number];

export interface SceneObject {
  category: CategoryName;
  color: Color;
  size: Size;
  place: Place;
  box: Box;
}

/** Everything there is to know about one image of the demo domain. */
export interface Scene {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  background: Background;
  quality: Quality;
  /** Unique categories, one a grid cell. */
  objects: SceneObject[];
}

/** What can be known of an image from captions and boxes; what they don't say is undefined. */
export interface PartialScene {
  width: number;
  height: number;
  background?: Background;
  quality?: Quality;
  /** Any COCO category, several of one too. */
  objects: PartialObject[];
}

export interface PartialObject {
  category: string;
  color?: Color;
  size?: Size;
  place: Place;
  box: Box;
}

/** Side of the square canvas in pixels. */
const CANVAS_SIZE = 160;

const SIDE: Readonly<Record<Size, { mean: number; spread: number; jitter: number }>> = {
  large: { mean: 48, spread: 1, jitter: 2 },
  small: { mean: 28, spread: 2, jitter: 5 },
};

const OBJECT_COUNTS = [2, 3, 4] as const;

/** One whole number of [-spread, spread]. */
function jitter(random: SeededRandom, spread: number): number {
  return random.integer(2 * spread + 1) - spread;
}

function boxInCell(cell: number, size: Size, random: SeededRandom): Box {
  const { mean, spread, jitter: shift } = SIDE[size];
  const side = mean + jitter(random, spread);
  const cellSide = CANVAS_SIZE / 3;
  const centerX = ((cell % 3) + 0.5) * cellSide;
  const centerY = (Math.floor(cell / 3) + 0.5) * cellSide;
  return [
    Math.round(centerX - side / 2) + jitter(random, shift),
    Math.round(centerY - side / 2) + jitter(random, shift),
    side,
    side,
  ];
}

/**
 * Draws a scene: two to four things of different categories on a 3x3 grid, one a cell, with boxes that
 * don't overlap. Color, size and place are independent of the category, so that nothing can be guessed
 * from it.
 */
export function randomScene(random: SeededRandom): Scene {
  const count = random.pick(OBJECT_COUNTS);
  const categories = random.shuffle(CATEGORY_NAMES).slice(0, count);
  const cells = random.shuffle(PLACES.map((_, cell) => cell)).slice(0, count);
  const objects = categories.map((category, index): SceneObject => {
    const cell = cells[index] as number;
    const size = random.pick(SIZES);
    return {
      category,
      color: random.pick(COLORS),
      size,
      place: PLACES[cell] as Place,
      box: boxInCell(cell, size, random),
    };
  });
  return {
    width: CANVAS_SIZE,
    height: CANVAS_SIZE,
    background: random.pick(BACKGROUNDS),
    quality: random.pickWeighted(QUALITIES, QUALITY_WEIGHTS),
    objects,
  };
}

/** The grid cell that a box's center lies in. */
export function placeOfBox(box: Box, width: number, height: number): Place {
  const column = Math.min(2, Math.max(0, Math.floor(((box[0] + box[2] / 2) / width) * 3)));
  const row = Math.min(2, Math.max(0, Math.floor(((box[1] + box[3] / 2) / height) * 3)));
  return PLACES[row * 3 + column] as Place;
}
