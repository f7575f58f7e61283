/**
 * The words of the demo domain: what can stand in a scene, and what a question can ask about it.
 * Category names and ids are COCO's own, so that COCO readers need no special case.
 */

export const GROUPS = ['animals', 'vehicles', 'food', 'things'] as const;
export type Group = (typeof GROUPS)[number];

/** The singular of a group, as a question says it ("Which animal is here?"). */
export const GROUP_SINGULAR: Readonly<Record<Group, string>> = {
  animals: 'animal',
  vehicles: 'vehicle',
  food: 'food',
  things: 'thing',
};

export const COLORS = ['red', 'orange', 'yellow', 'green', 'blue', 'purple', 'black', 'white'] as const;
export type Color = (typeof COLORS)[number];

export const SIZES = ['small', 'large'] as const;
export type Size = (typeof SIZES)[number];

/** The cells of a 3x3 grid, row by row. */
export const PLACES = [
  'top left',
  'top',
  'top right',
  'left',
  'middle',
  'right',
  'bottom left',
  'bottom',
  'bottom right',
] as const;
export type Place = (typeof PLACES)[number];

export const BACKGROUNDS = ['beach', 'street', 'park', 'snow', 'kitchen', 'night'] as const;
export type Background = (typeof BACKGROUNDS)[number];

export const QUALITIES = ['sharp', 'blurry', 'dark', 'noisy'] as const;
export type Quality = (typeof QUALITIES)[number];

/** How often each of {@link QUALITIES} is drawn. */
export const QUALITY_WEIGHTS = [0.55, 0.15, 0.15, 0.15] as const;

export const CATEGORY_NAMES = [
  'cat',
  'dog',
  'bird',
  'elephant',
  'car',
  'bus',
  'boat',
  'bicycle',
  'apple',
  'banana',
  'pizza',
  'cake',
  'chair',
  'umbrella',
  'clock',
  'cup',
] as const;
export type CategoryName = (typeof CATEGORY_NAMES)[number];

export interface Category {
  name: CategoryName;
  /** COCO's own category id. */
  id: number;
  /** COCO's own supercategory. */
  supercategory: string;
  group: Group;
}

export const CATEGORIES: readonly Category[] = [
  { name: 'cat', id: 17, supercategory: 'animal', group: 'animals' },
  { name: 'dog', id: 18, supercategory: 'animal', group: 'animals' },
  { name: 'bird', id: 16, supercategory: 'animal', group: 'animals' },
  { name: 'elephant', id: 22, supercategory: 'animal', group: 'animals' },
  { name: 'car', id: 3, supercategory: 'vehicle', group: 'vehicles' },
  { name: 'bus', id: 6, supercategory: 'vehicle', group: 'vehicles' },
  { name: 'boat', id: 9, supercategory: 'vehicle', group: 'vehicles' },
  { name: 'bicycle', id: 2, supercategory: 'vehicle', group: 'vehicles' },
  { name: 'apple', id: 53, supercategory: 'food', group: 'food' },
  { name: 'banana', id: 52, supercategory: 'food', group: 'food' },
  { name: 'pizza', id: 59, supercategory: 'food', group: 'food' },
  { name: 'cake', id: 61, supercategory: 'food', group: 'food' },
  { name: 'chair', id: 62, supercategory: 'furniture', group: 'things' },
  { name: 'umbrella', id: 28, supercategory: 'accessory', group: 'things' },
  { name: 'clock', id: 85, supercategory: 'indoor', group: 'things' },
  { name: 'cup', id: 47, supercategory: 'kitchen', group: 'things' },
];

const categoriesByName = new Map<string, Category>(CATEGORIES.map((category) => [category.name, category]));

/** The demo domain's category of that COCO name, or undefined for one of COCO's 64 others. */
export function findCategory(name: string): Category | undefined {
  return categoriesByName.get(name);
}
