import type { SeededRandom } from '../../../src/core/seeded-random.ts';
import type { PartialObject, PartialScene } from '../scene.ts';
import { CATEGORY_NAMES, type CategoryName } from '../vocabulary.ts';

/** A question before its choices are put in order. */
export interface Draft {
  question: string;
  answer: string;
  /** Wrong answers, the most tempting first; the first three become choices. */
  wrong: readonly string[];
  /** Other ways in which a person may say the answer. */
  synonyms?: readonly string[];
  /** Three short explanations. */
  rationales: readonly [string, string, string];
}

/** Asks one type of question about a scene; undefined where the scene has no single answer to it. */
export type Ask = (scene: PartialScene, random: SeededRandom) => Draft | undefined;

/** The things that can be named without saying which one is meant. */
export function uniqueObjects(scene: PartialScene): PartialObject[] {
  return scene.objects.filter(
    ({ category }) => scene.objects.filter((other) => other.category === category).length === 1,
  );
}

/** Distinct category names on the image. */
export function presentCategories(scene: PartialScene): string[] {
  return [...new Set(scene.objects.map(({ category }) => category))];
}

/** The demo domain's categories that are not on the image, in random order. */
export function absentCategories(scene: PartialScene, random: SeededRandom): CategoryName[] {
  const present = new Set(presentCategories(scene));
  return random.shuffle(CATEGORY_NAMES.filter((name) => !present.has(name)));
}

/** The only item, or undefined for none or several. */
export function only<T>(items: readonly T[]): T | undefined {
  return items.length === 1 ? items[0] : undefined;
}
