import type { SeededRandom } from '../../../src/core/seeded-random.ts';
import type { ImageFacts } from '../read-prompt.ts';
import { THINGS, type Thing } from './things.ts';
import { nounPattern, PHOTO_COLORS } from './words.ts';

/** What captions and boxes say of a photograph. */
export interface Photo {
  /** In lower case. */
  captions: string[];
  /** Known categories, with their boxes. */
  present: { thing: Thing; boxes: Edges[] }[];
  /** Categories that neither a box nor a caption names. */
  absent: Thing[];
}

/** All questions of one type that the facts of a photograph allow, the most specific ones first. */
export type AskAboutPhoto = (photo: Photo, random: SeededRandom) => PhotoDraft[];

export interface PhotoDraft {
  question: string;
  answer: string;
  /** Wrong answers; the first three become choices. */
  wrong: readonly string[];
  rationale: string;
}

/** Shares of the image's width and height. */
export type Edges = readonly [left: number, top: number, right: number, bottom: number];

const nouns = nounPattern(THINGS.keys());
const [articles, adjectives] = ['(?:(?:a|an|the|his|her|its|their|some|two|three|one) )?', '(?:[a-z]+ ){0,2}?'];
const colors = PHOTO_COLORS.join('|');

/** How captions call a category. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  person: 'person|people|man|men|woman|women|boys?|girls?|child|children|kids?|lady|guys?|player|pitcher|skier|surfer',
  bicycle: 'bikes?|bicycles?',
  airplane: 'planes?|airplanes?|jets?',
  motorcycle: 'motorcycles?|motorbikes?',
  couch: 'couch|sofa',
  'dining table': 'tables?',
  'cell phone': 'phones?|cellphones?',
  tv: 'tv|television',
  'potted plant': 'plants?',
  'sports ball': 'balls?',
  'teddy bear': 'teddy|stuffed',
  laptop: 'laptops?|computers?',
  donut: 'donuts?|doughnuts?',
  'tennis racket': 'racke?q?u?e?ts?',
  cup: 'cups?|mugs?',
  oven: 'ovens?|stoves?',
  skis: 'skis?|skiing|skies',
};

/** Finds a category in a caption. */
const mentions = new Map(
  Array.from(THINGS.keys(), (name) => [name, new RegExp(`\\b(?:${name}s?|${OTHER_NAMES[name] ?? name})\\b`)]),
);

export function readPhoto({ captions, boxes }: ImageFacts): Photo {
  const texts = captions.map((caption) => caption.toLowerCase());
  const names = [...new Set(boxes.map(({ category }) => category))];
  const present = names.flatMap((name) => {
    const thing = THINGS.get(name);
    return thing ? { thing, boxes: boxes.filter(({ category }) => category === name).map(({ edges }) => edges) } : [];
  });
  const isNamed = ({ name }: Thing) => texts.some((text) => mentions.get(name)?.test(text));
  const absent = [...THINGS.values()].filter((thing) => !names.includes(thing.name) && !isNamed(thing));
  return { captions: texts, present, absent };
}

/** The share of the image that the largest of these boxes covers. */
export function largestShare(boxes: readonly Edges[]): number {
  return Math.max(0, ...boxes.map(([left, top, right, bottom]) => (right - left) * (bottom - top)));
}

/** Nouns with the one color that captions give them. */
export function coloredNouns({ captions }: Photo): Map<string, string> {
  return onlyAgreed(captions, new RegExp(`(?<!and )\\b(${colors}) (?!and )(?:[a-z]+ )?(${nouns})s?\\b`, 'g'));
}

/** Nouns with the one word of these that stands before them. */
export function describedNouns({ captions }: Photo, words: readonly string[]): Map<string, string> {
  return onlyAgreed(captions, new RegExp(`\\b(${words.join('|')}) (?:[a-z]+ )?(${nouns})s?\\b`, 'g'));
}

function onlyAgreed(captions: readonly string[], pattern: RegExp): Map<string, string> {
  const found = new Map<string, string>();
  const disputed = new Set<string>();
  for (const caption of captions) {
    for (const [, word = '', noun = ''] of caption.matchAll(pattern)) {
      if ((found.get(noun) ?? word) !== word) disputed.add(noun);
      found.set(noun, word);
    }
  }
  for (const noun of disputed) found.delete(noun);
  return found;
}

/** How one thing is placed to another, as a caption says it. */
export interface Placed {
  subject: string;
  relation: RelationName;
  object: string;
}

const RELATIONS = {
  on: 'on top of|atop|on|onto',
  in: 'inside|in|into|within',
  'next to': 'next to|beside|by|near|along side|alongside',
  behind: 'behind',
  'in front of': 'in front of',
  under: 'under|underneath|below|beneath',
  above: 'above|over',
  against: 'against',
} as const;
export type RelationName = keyof typeof RELATIONS;
export const RELATION_NAMES = Object.keys(RELATIONS) as RelationName[];

export function placedThings({ captions }: Photo): Placed[] {
  return RELATION_NAMES.flatMap((relation) => {
    const pattern = new RegExp(
      `\\b(${nouns})s? (?:[a-z]+ ){0,3}?(?:${RELATIONS[relation]}) ${articles}${adjectives}(${nouns})s?\\b`,
      'g',
    );
    return captions.flatMap((caption) =>
      [...caption.matchAll(pattern)].flatMap(([, subject = '', object = '']) =>
        subject === object ? [] : { subject, relation, object },
      ),
    );
  });
}

/** What someone holds, wears, rides, carries or eats: verb and noun. */
export function heldThings({ captions }: Photo): { verb: string; noun: string }[] {
  const verbs = {
    held: 'holds?|holding|carrying',
    worn: 'wears?|wearing',
    ridden: 'rides?|riding',
    eaten: 'eats?|eating',
  };
  return Object.entries(verbs).flatMap(([verb, forms]) =>
    captions.flatMap((caption) =>
      [...caption.matchAll(new RegExp(`\\b(?:${forms}) ${articles}${adjectives}(${nouns})s?\\b`, 'g'))].map(
        ([, noun = '']) => ({ verb, noun }),
      ),
    ),
  );
}
