/**
 * The texts that the demo's stage-1 model learns: descriptions of scenes, never the questions of the benchmark, which the
 * loop's finetuning teaches.
 */

import type { SeededRandom } from '../../src/core/seeded-random.ts';
import { answerQma, captionRequest, choiceText } from '../../src/datasets/question-text.ts';
import { miniGpt4PromptForm } from '../../src/model/families/minigpt4/prompt.ts';
import { questionTurn } from '../../src/model/families/prompt-form.ts';
import { captionsFor } from '../scenes/captions.ts';
import { FUNCTIONS, KNOWLEDGE } from '../scenes/knowledge.ts';
import { DIRECTIONS } from '../scenes/questions/places.ts';
import { askQuestion, QUESTION_TYPES } from '../scenes/questions.ts';
import type { Scene, SceneObject } from '../scenes/scene.ts';
import {
  BACKGROUNDS,
  CATEGORIES,
  CATEGORY_NAMES,
  COLORS,
  GROUP_SINGULAR,
  GROUPS,
  PLACES,
  QUALITIES,
  SIZES,
} from '../scenes/vocabulary.ts';
import type { Stage1Text } from './domain.ts';

const withImage = (request: string) => questionTurn(miniGpt4PromptForm, `${request}\n`, { withImage: true });
const withoutImage = (request: string) => questionTurn(miniGpt4PromptForm, `${request}\n`, { withImage: false });

const describe = ({ size, color, category, place }: SceneObject) => `${size} ${color} ${category} ${place}`;

function inventory(scene: Scene): Stage1Text {
  const ordered = [...scene.objects].sort((a, b) => PLACES.indexOf(a.place) - PLACES.indexOf(b.place));
  const parts = [...ordered.map(describe), scene.background, scene.quality];
  return { prompt: withImage('List everything.'), answer: `${parts.join(', ')}.` };
}

function caption(scene: Scene, random: SeededRandom): Stage1Text {
  return { prompt: withImage(captionRequest), answer: random.pick(captionsFor(scene, random)) };
}

/** What is known of one thing, found by its name or, where no other has it, by its color. */
function reference(scene: Scene, random: SeededRandom): Stage1Text {
  const object = random.pick(scene.objects);
  const isOnly = scene.objects.filter(({ color }) => color === object.color).length === 1;
  const name = isOnly && random.uniform() < 0.3 ? `${object.color} thing` : object.category;
  return { prompt: withImage(`Describe the ${name}.`), answer: `${describe(object)}.` };
}

function region(scene: Scene, random: SeededRandom): Stage1Text {
  const place = random.uniform() < 0.7 ? random.pick(scene.objects).place : random.pick(PLACES);
  const found = scene.objects.find((object) => object.place === place);
  const answer = found ? `${found.size} ${found.color} ${found.category}.` : 'nothing.';
  return { prompt: withImage(`Describe the ${place}.`), answer };
}

function fact(random: SeededRandom): Stage1Text {
  const { name, group } = random.pick(CATEGORIES);
  const facts = [...FUNCTIONS, ...KNOWLEDGE].filter(({ categories }) => categories.includes(name));
  const phrases = random.shuffle(facts.map(({ phrase }) => phrase));
  return {
    prompt: withoutImage(`Tell me about the ${name}.`),
    answer: `a ${name} is ${group === 'food' ? 'food' : `one of the ${group}`}, a ${GROUP_SINGULAR[group]}. it ${phrases.join('. it ')}.`,
  };
}

/** Words that choices are made of. */
const CHOICE_WORDS = [
  ...COLORS,
  ...SIZES,
  ...PLACES,
  ...BACKGROUNDS,
  ...QUALITIES,
  ...CATEGORY_NAMES,
  ...GROUPS,
  ...DIRECTIONS,
];

/**
 * Multiple choice as a form, without an image and without knowledge: pick the named one. A language model that
 * was pretrained on text, as MiniGPT-4's was, knows the form; one that never saw the letters can't learn it from
 * adapters alone, since its embeddings are frozen then.
 */
function choice(random: SeededRandom): Stage1Text {
  const choices = random.shuffle(CHOICE_WORDS).slice(0, 4);
  const correct = random.integer(4);
  const turn = withoutImage(
    `Choose ${choices[correct]}.\n${choices.map((_, index) => choiceText(choices, index)).join(' ')}`,
  );
  return { prompt: turn, answer: answerQma(choices, correct) };
}

const ASPECTS = {
  color: { values: COLORS, say: (category: string, value: string) => `${value} ${category}` },
  size: { values: SIZES, say: (category: string, value: string) => `${value} ${category}` },
  place: { values: PLACES, say: (category: string, value: string) => `${category} ${value}` },
} as const;

/** Image and text matched, as BLIP-2's first stage does: which of four phrases is true of the image. */
function match(scene: Scene, random: SeededRandom): Stage1Text {
  const aspect = random.pick(['color', 'color', 'place', 'place', 'size'] as const);
  const { values, say } = ASPECTS[aspect];
  const object = random.pick(scene.objects);
  const truths = new Set(scene.objects.map((each) => say(each.category, each[aspect])));
  const truth = say(object.category, object[aspect]);
  const phrases = new Set([truth]);
  while (phrases.size < 4) {
    // Half the wrong ones are of the same thing, so that its look must be found, not its presence.
    const category = random.uniform() < 0.5 ? object.category : random.pick(CATEGORY_NAMES);
    const phrase = say(category, random.pick<string>(values));
    if (!truths.has(phrase)) phrases.add(phrase);
  }
  const choices = random.shuffle([...phrases]);
  const list = choices.map((_, index) => choiceText(choices, index)).join(' ');
  return { prompt: withImage(`Which is true?\n${list}`), answer: answerQma(choices, choices.indexOf(truth)) };
}

/** The words that questions are asked in, to be said again: read, but not answered. */
function echo(scene: Scene, random: SeededRandom): Stage1Text {
  const asked = askQuestion(random.pick(QUESTION_TYPES), scene, random);
  const text = asked?.question ?? inventory(scene).answer;
  return { prompt: withoutImage(`Repeat: ${text}`), answer: text };
}

/** Kinds of texts, and how often each is drawn. */
export const TEXT_KINDS = {
  inventory: 0.12,
  caption: 0.06,
  reference: 0.28,
  region: 0.07,
  match: 0.28,
  fact: 0.05,
  choice: 0.08,
  echo: 0.06,
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
    case 'match':
      return match(scene, random);
    case 'fact':
      return fact(random);
    case 'choice':
      return choice(random);
    case 'echo':
      return echo(scene, random);
  }
}
