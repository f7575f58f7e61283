/**
 * What the demo's stage-1 model is taught to say of a scene: descriptions, never questions with choices. The
 * questions are what the loop's finetuning is for.
 */
import { captionTurn } from '../../datasets/prompt-format.ts';
import { captionsFor } from '../../datasets/scenes/captions.ts';
import { FUNCTIONS, KNOWLEDGE } from '../../datasets/scenes/knowledge.ts';
import type { Scene, SceneObject } from '../../datasets/scenes/scene.ts';
import { CATEGORIES, GROUP_SINGULAR, PLACES } from '../../datasets/scenes/vocabulary.ts';
import type { SeededRandom } from '../../random/seeded-random.ts';

export interface Stage1Text {
  prompt: string;
  answer: string;
}

const withPicture = (request: string) => `###Human: <Img><ImageHere></Img> ${request}\n###Assistant: `;
const withoutPicture = (request: string) => `###Human: ${request}\n###Assistant: `;

const describe = ({ size, color, category, place }: SceneObject) => `${size} ${color} ${category} ${place}`;

function inventory(scene: Scene): Stage1Text {
  const ordered = [...scene.objects].sort((a, b) => PLACES.indexOf(a.place) - PLACES.indexOf(b.place));
  const parts = [...ordered.map(describe), scene.background, scene.quality];
  return { prompt: withPicture('List everything.'), answer: `${parts.join(', ')}.` };
}

function caption(scene: Scene, random: SeededRandom): Stage1Text {
  return { prompt: captionTurn(), answer: random.pick(captionsFor(scene, random)) };
}

function reference(scene: Scene, random: SeededRandom): Stage1Text {
  const object = random.pick(scene.objects);
  return { prompt: withPicture(`Describe the ${object.category}.`), answer: `${describe(object)}.` };
}

function region(scene: Scene, random: SeededRandom): Stage1Text {
  const place = random.uniform() < 0.7 ? random.pick(scene.objects).place : random.pick(PLACES);
  const found = scene.objects.find((object) => object.place === place);
  const answer = found ? `${found.size} ${found.color} ${found.category}.` : 'nothing.';
  return { prompt: withPicture(`Describe the ${place}.`), answer };
}

function fact(random: SeededRandom): Stage1Text {
  const { name, group } = random.pick(CATEGORIES);
  const facts = [...FUNCTIONS, ...KNOWLEDGE].filter(({ categories }) => categories.includes(name));
  const phrases = random.shuffle(facts.map(({ phrase }) => phrase));
  return {
    prompt: withoutPicture(`Tell me about the ${name}.`),
    answer: `a ${name} is ${group === 'food' ? 'food' : `one of the ${group}`}, a ${GROUP_SINGULAR[group]}. it ${phrases.join('. it ')}.`,
  };
}

/** Kinds of texts, and how often each is drawn. */
export const TEXT_KINDS = {
  inventory: 0.45,
  caption: 0.15,
  reference: 0.18,
  region: 0.17,
  fact: 0.05,
} as const;
export type TextKind = keyof typeof TEXT_KINDS;

/** One text about a scene. */
export function stage1Text(kind: TextKind, scene: Scene, random: SeededRandom): Stage1Text {
  switch (kind) {
    case 'inventory':
      return inventory(scene);
    case 'caption':
      return caption(scene, random);
    case 'reference':
      return reference(scene, random);
    case 'region':
      return region(scene, random);
    case 'fact':
      return fact(random);
  }
}
