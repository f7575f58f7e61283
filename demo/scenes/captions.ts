import type { SeededRandom } from '../../src/core/seeded-random.ts';
import type { Scene, SceneObject } from './scene.ts';
import type { Background } from './vocabulary.ts';

/** How captions say where an image was taken. */
const BACKGROUND_PHRASES: Readonly<Record<Background, readonly string[]>> = {
  beach: ['on a beach', 'at the beach'],
  street: ['on a street', 'in the street'],
  park: ['in a park', 'in the park'],
  snow: ['in the snow', 'on white snow'],
  kitchen: ['in a kitchen', 'in the kitchen'],
  night: ['at night', 'under a night sky'],
};

const IMAGE_WORDS = ['picture', 'photo', 'image'] as const;

const COUNT_WORDS = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'] as const;

/** "apple" → "an apple". */
export function withArticle(words: string): string {
  return `${/^[aeiou]/.test(words) ? 'an' : 'a'} ${words}`;
}

/** ["a cat", "a dog", "a cup"] → "a cat, a dog and a cup". */
export function joinWithAnd(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

function whole({ size, color, category }: SceneObject): string {
  return withArticle(`${size} ${color} ${category}`);
}

function some({ size, color, category }: SceneObject, random: SeededRandom): string {
  return withArticle(random.pick([category, `${color} ${category}`, `${size} ${category}`]));
}

/**
 * Writes five captions as COCO's annotators would, in plain lower-case English. Two of them name every
 * thing with its size and color; one names the image's quality; places are left to the boxes.
 */
export function captionsFor(scene: Scene, random: SeededRandom): string[] {
  const where = () => random.pick(BACKGROUND_PHRASES[scene.background]);
  const image = () => random.pick(IMAGE_WORDS);
  const wholeList = () => joinWithAnd(random.shuffle(scene.objects).map(whole));
  const someList = () => joinWithAnd(random.shuffle(scene.objects).map((object) => some(object, random)));
  const count = COUNT_WORDS[scene.objects.length] ?? String(scene.objects.length);
  const single = random.pick(scene.objects);

  const captions = [
    `${wholeList()} ${where()}`,
    `${withArticle(scene.quality)} ${image()} of ${wholeList()}`,
    random.pick([`${someList()} are seen ${where()}`, `there are ${someList()} ${where()}`]),
    random.pick([`${withArticle(image())} of ${count} things ${where()}`, `${count} things ${where()}`]),
    random.pick([`the ${single.color} ${single.category} is ${single.size}`, `${whole(single)} with other things`]),
  ];
  return random.shuffle(captions);
}

/** A longer description, as cc_sbu_align pairs with its images; like captions it leaves out places. */
export function alignmentCaption({ objects, background, quality }: Scene, random: SeededRandom): string {
  const things = random.shuffle(objects);
  const names = joinWithAnd(things.map(({ category }) => withArticle(category)));
  const details = things.map(({ category, size, color }) => `the ${category} is ${size} and ${color}.`).join(' ');
  const opening = random.pick(['the picture shows', 'this is a picture of', 'here one sees']);
  return `${opening} ${names} ${random.pick(BACKGROUND_PHRASES[background])}. ${details} the picture is ${quality}.`;
}
