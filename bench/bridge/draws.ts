/** Images of the demo domain and questions about them, from which the files of benchmarks are made. */
import { withArticle } from '../../demo/scenes/captions.ts';
import { drawImages, type SceneImage } from '../../demo/scenes/images.ts';
import { askQuestion, QUESTION_TYPES, type SceneQuestion } from '../../demo/scenes/questions.ts';
import { CATEGORY_NAMES, type CategoryName, COLORS } from '../../demo/scenes/vocabulary.ts';
import { type SeededRandom, seededRandom } from '../../src/core/seeded-random.ts';

export type { SceneImage, SceneQuestion };

/** Images that training and scored questions are about: other scenes, other numbers. */
export const imageSets = {
  train: { seed: 'bridge training', firstId: 100_000 },
  test: { seed: 'bridge', firstId: 400_000 },
} as const;
export type ImageSet = keyof typeof imageSets;

/** As COCO names its files of 2014. */
export function drawSet(set: ImageSet, count: number): SceneImage[] {
  const { seed, firstId } = imageSets[set];
  const name = (id: number) => `COCO_val2014_${String(id).padStart(12, '0')}.jpg`;
  return drawImages(seededRandom(seed).fork('images'), count, firstId, name);
}

/** A question about one image: image `number` of `count`, each of them once until all had their turn. */
export interface Drawn {
  number: number;
  image: SceneImage;
  random: SeededRandom;
}

export function drawFor(benchmark: string, set: ImageSet, images: readonly SceneImage[], count: number): Drawn[] {
  const random = seededRandom(imageSets[set].seed).fork(benchmark);
  const order = random.shuffle(images);
  return Array.from({ length: count }, (_, number) => ({
    number,
    image: order[number % order.length] as SceneImage,
    random: random.fork(number),
  }));
}

/** A question with four choices and the answers of ten people, of a type that the scene allows. */
export function askAny({ image, random }: Pick<Drawn, 'image' | 'random'>): SceneQuestion {
  for (const type of random.shuffle(QUESTION_TYPES)) {
    const asked = askQuestion(type, image.scene, random.fork(type));
    if (asked !== undefined) return asked;
  }
  throw new Error(`nothing can be asked about ${image.fileName}`);
}

const howMany = 'How many things are in the image?';
const shortTypes = ['identity_reasoning', 'function_reasoning', 'knowledge-based_reasoning'] as const;
const counts = ['two things', 'three things', 'four things', 'five things'] as const;

/**
 * A question with a short answer that begins as the captions do on which the base model was trained: with an article, or a number
 * in words. Other words would have to be spelled from pieces of which the model knows little.
 */
export function askShort({ image, random }: Pick<Drawn, 'image' | 'random'>): SceneQuestion {
  for (const type of random.shuffle(shortTypes)) {
    const asked = askQuestion(type, image.scene, random.fork(type));
    if (asked === undefined) continue;
    const choices = asked.choices.map(withArticle) as SceneQuestion['choices'];
    return { ...asked, choices, directAnswers: asked.directAnswers.map(withArticle) };
  }
  return askCount(image);
}

export function askCount({ scene }: SceneImage): SceneQuestion {
  const correctChoiceIndex = scene.objects.length - 2;
  const right = counts[correctChoiceIndex] as string;
  const directAnswers = Array.from({ length: 10 }, (_, person) => (person < 9 ? right : 'many'));
  const said = `there are ${right}.`;
  return { question: howMany, choices: [...counts], correctChoiceIndex, directAnswers, rationales: [said, said, said] };
}

export function rightChoice({ choices, correctChoiceIndex }: SceneQuestion): string {
  return choices[correctChoiceIndex] as string;
}

/** What is there (`isThere`), or is not. */
export function pickCategory({ scene }: SceneImage, isThere: boolean, random: SeededRandom): CategoryName {
  const present = new Set(scene.objects.map(({ category }) => category));
  return random.pick(CATEGORY_NAMES.filter((name) => present.has(name) === isThere));
}

export function askExists(image: SceneImage, isThere: boolean, random: SeededRandom): string {
  return `Is there ${withArticle(pickCategory(image, isThere, random))} in the image?`;
}

/** Whether a thing has a color, its own or another. */
export function askHasColor({ scene }: SceneImage, isRight: boolean, random: SeededRandom): string {
  const { category, color } = random.pick(scene.objects);
  return `Is the ${category} ${isRight ? color : random.pick(COLORS.filter((other) => other !== color))}?`;
}
