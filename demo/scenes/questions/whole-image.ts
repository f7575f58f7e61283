import { BACKGROUNDS, findCategory, GROUPS, QUALITIES } from '../vocabulary.ts';
import type { Ask } from './draft.ts';

/** "What kind of scene is this?" */
export const askScene: Ask = ({ background }, random) => {
  if (!background) return undefined;
  return {
    question: random.pick(['What kind of scene is this?', 'Which scene is shown?', 'What is the background?']),
    answer: background,
    wrong: random.shuffle(BACKGROUNDS.filter((name) => name !== background)),
    rationales: [
      `the background is ${background}.`,
      `this is a ${background} scene.`,
      `the things are in front of ${background}.`,
    ],
  };
};

/** "What does the picture mostly show?" */
export const askTopic: Ask = ({ objects }, random) => {
  const groups = objects.map(({ category }) => findCategory(category)?.group);
  // An unknown thing could tip the balance.
  if (groups.includes(undefined)) return undefined;
  const count = (group: string) => groups.filter((other) => other === group).length;
  const [first, second] = [...GROUPS].sort((left, right) => count(right) - count(left));
  if (!first || !second || count(first) < 2 || count(first) === count(second)) return undefined;
  const members = objects
    .filter(({ category }) => findCategory(category)?.group === first)
    .map(({ category }) => category);
  return {
    question: random.pick(['What is this picture mostly about?', 'What does the picture mostly show?']),
    answer: first,
    wrong: random.shuffle(GROUPS.filter((group) => group !== first)),
    rationales: [
      `most of the things are ${first}.`,
      `the ${members[0]} and the ${members[1]} are ${first}.`,
      `there are more ${first} than ${second}.`,
    ],
  };
};

/** "How does the picture look?" */
export const askQuality: Ask = ({ quality }, random) => {
  if (!quality) return undefined;
  return {
    question: random.pick([
      'How is the quality of this picture?',
      'How does the picture look?',
      'What is the picture quality?',
    ]),
    answer: quality,
    wrong: random.shuffle(QUALITIES.filter((name) => name !== quality)),
    synonyms: quality === 'sharp' ? ['clear'] : undefined,
    rationales: [`the picture is ${quality}.`, `this is a ${quality} picture.`, `all of the picture looks ${quality}.`],
  };
};
