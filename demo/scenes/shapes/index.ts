import type { CategoryName } from '../vocabulary.ts';
import { bird, cat, dog, elephant } from './animals.ts';
import { apple, banana, cake, pizza } from './food.ts';
import type { Shape } from './paint.ts';
import { chair, clock, cup, umbrella } from './things.ts';
import { bicycle, boat, bus, car } from './vehicles.ts';

/** The silhouette of each category, in a square of 100x100 units. */
export const SHAPES: Readonly<Record<CategoryName, Shape>> = {
  cat,
  dog,
  bird,
  elephant,
  car,
  bus,
  boat,
  bicycle,
  apple,
  banana,
  pizza,
  cake,
  chair,
  umbrella,
  clock,
  cup,
};
