import type { CategoryName } from './vocabulary.ts';

/** Something that is true of some categories in the real world and can't be seen in the image. */
export interface Fact {
  /** Completes "which thing here ...?". */
  phrase: string;
  categories: readonly CategoryName[];
}

/** What a thing is used for. A category may serve several uses, and a use may fit several categories. */
export const FUNCTIONS: readonly Fact[] = [
  { phrase: 'can be eaten', categories: ['apple', 'banana', 'pizza', 'cake'] },
  { phrase: 'can be driven', categories: ['car', 'bus'] },
  { phrase: 'can be sailed', categories: ['boat'] },
  { phrase: 'can be pedaled', categories: ['bicycle'] },
  { phrase: 'can be sat on', categories: ['chair'] },
  { phrase: 'keeps rain off', categories: ['umbrella'] },
  { phrase: 'tells the time', categories: ['clock'] },
  { phrase: 'holds a drink', categories: ['cup'] },
  { phrase: 'guards a house', categories: ['dog'] },
  { phrase: 'catches mice', categories: ['cat'] },
];

/** What one knows about a thing from books. */
export const KNOWLEDGE: readonly Fact[] = [
  { phrase: 'lays eggs', categories: ['bird'] },
  { phrase: 'barks', categories: ['dog'] },
  { phrase: 'purrs', categories: ['cat'] },
  { phrase: 'has tusks', categories: ['elephant'] },
  { phrase: 'runs on fuel', categories: ['car', 'bus'] },
  { phrase: 'grows on trees', categories: ['apple', 'banana'] },
  { phrase: 'is baked', categories: ['pizza', 'cake'] },
  { phrase: 'needs a harbor', categories: ['boat'] },
  { phrase: 'has two wheels', categories: ['bicycle'] },
  { phrase: 'is furniture', categories: ['chair'] },
  { phrase: 'ticks', categories: ['clock'] },
  { phrase: 'folds up', categories: ['umbrella'] },
  { phrase: 'is made of clay', categories: ['cup'] },
];

/** Typical weight in kilograms in the real world, whatever the size on the image. */
export const TYPICAL_WEIGHT: Readonly<Record<CategoryName, number>> = {
  bird: 0.05,
  apple: 0.15,
  banana: 0.15,
  cup: 0.3,
  umbrella: 0.5,
  pizza: 0.6,
  cake: 1.2,
  clock: 1.5,
  cat: 4,
  chair: 6,
  bicycle: 13,
  dog: 25,
  car: 1400,
  boat: 3000,
  elephant: 5000,
  bus: 12000,
};
