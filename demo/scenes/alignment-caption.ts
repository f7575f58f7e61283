import type { SeededRandom } from '../../src/core/seeded-random.ts';
import { BACKGROUND_PHRASES, joinWithAnd, withArticle } from './captions.ts';
import type { Scene } from './scene.ts';

/** A longer description, as cc_sbu_align pairs with its images; like captions it leaves out places. */
export function alignmentCaption({ objects, background, quality }: Scene, random: SeededRandom): string {
  const things = random.shuffle(objects);
  const names = joinWithAnd(things.map(({ category }) => withArticle(category)));
  const details = things.map(({ category, size, color }) => `the ${category} is ${size} and ${color}.`).join(' ');
  const opening = random.pick(['the picture shows', 'this is a picture of', 'here one sees']);
  return `${opening} ${names} ${random.pick(BACKGROUND_PHRASES[background])}. ${details} the picture is ${quality}.`;
}
