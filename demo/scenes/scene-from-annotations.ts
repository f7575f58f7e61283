import { type Box, type PartialObject, type PartialScene, placeOfBox } from './scene.ts';
import {
  BACKGROUNDS,
  type Background,
  COLORS,
  type Color,
  QUALITIES,
  type Quality,
  SIZES,
  type Size,
} from './vocabulary.ts';

export interface Annotations {
  captions: readonly string[];
  /** Boxes in the units of width and height. */
  boxes: readonly { category: string; box: Box }[];
  width: number;
  height: number;
}

// What real captions say for our two sizes.
const SIZE_WORDS: Readonly<Record<string, Size>> = {
  small: 'small',
  little: 'small',
  tiny: 'small',
  large: 'large',
  big: 'large',
  huge: 'large',
  giant: 'large',
};

// Colors that people see and the vocabulary lacks: "a brown and white dog" is not a white dog.
const OTHER_COLORS = new Set(['brown', 'gray', 'grey', 'pink', 'gold', 'silver', 'tan', 'beige', 'blonde']);

const BACKGROUND_PATTERNS: Readonly<Record<Background, RegExp>> = {
  beach: /\b(on|at|along) (a|the|an?) (\w+ )?beach\b/,
  street: /\b(on|in|down|along) (a|the) (\w+ )?(street|road)\b/,
  park: /\b(in|at) (a|the) (\w+ )?park\b/,
  snow: /\b(in|on|through) (the |a )?(\w+ )?snow\b/,
  kitchen: /\b(in|of) (a|the) (\w+ )?kitchen\b|^(a|the) (\w+ )?kitchen\b/,
  night: /\bat night\b|\bnight sky\b/,
};

const QUALITY_PATTERN = new RegExp(`\\b(${QUALITIES.join('|')}) (picture|photo|image|photograph)\\b`);

const ARTICLES = new Set(['a', 'an', 'the', 'one', 'and', 'of', 'with', 'is', 'are', 'in', 'on', 'at', 'by']);

/** One value when all agree and there is at least one. */
function onlyOne<T>(values: readonly T[]): T | undefined {
  const distinct = new Set(values);
  return distinct.size === 1 ? values[0] : undefined;
}

/** The words that describe a noun: those between it and the article or preposition before it, at most four. */
function adjectivesBefore(words: readonly string[], noun: number): string[] {
  const adjectives: string[] = [];
  for (let index = noun - 1; index >= 0 && noun - index <= 4; index -= 1) {
    const word = words[index] as string;
    const joinsColors = word === 'and' && isColor(words[index - 1]) && isColor(words[index + 1]);
    if (ARTICLES.has(word) && !joinsColors) break;
    adjectives.unshift(word);
  }
  return adjectives;
}

function isColor(word: string | undefined): boolean {
  return word !== undefined && (OTHER_COLORS.has(word) || COLORS.includes(word as Color));
}

interface Description {
  colors: Color[];
  sizes: Size[];
}

function describe(caption: string, category: string): Description {
  const words = caption.toLowerCase().match(/[a-z]+|[.,]/g) ?? [];
  const noun = category.toLowerCase().split(' ');
  const description: Description = { colors: [], sizes: [] };
  for (let index = 0; index + noun.length <= words.length; index += 1) {
    if (!noun.every((part, offset) => words[index + offset] === part)) continue;
    const nearest = adjectivesBefore(words, index);
    const adjectives = nearest.slice(nearest.findLastIndex((word) => word === ',' || word === '.') + 1);
    const colors = adjectives.filter(isColor);
    if (colors.length === 1 && COLORS.includes(colors[0] as Color)) description.colors.push(colors[0] as Color);
    description.sizes.push(...adjectives.flatMap((word) => SIZE_WORDS[word] ?? []));
    const predicate = caption
      .toLowerCase()
      .match(new RegExp(`\\bthe (?:[a-z]+ )?${category} is (${SIZES.join('|')})\\b`));
    if (predicate) description.sizes.push(predicate[1] as Size);
  }
  return description;
}

/**
 * Reads captions and boxes back into a scene by rules: category and place from the boxes, color, size,
 * background and quality from the captions. Made for the demo domain's captions and tolerant of COCO's:
 * what isn't said, or is said in two ways, is undefined.
 */
export function sceneFromAnnotations({ captions, boxes, width, height }: Annotations): PartialScene {
  const counts = new Map<string, number>();
  for (const { category } of boxes) counts.set(category, (counts.get(category) ?? 0) + 1);

  const objects = boxes.map(({ category, box }): PartialObject => {
    const object: PartialObject = { category, place: placeOfBox(box, width, height), box };
    // Of two dogs a caption doesn't say which one is red.
    if (counts.get(category) !== 1) return object;
    const descriptions = captions.map((caption) => describe(caption, category));
    return {
      ...object,
      color: onlyOne(descriptions.flatMap(({ colors }) => colors)),
      size: onlyOne(descriptions.flatMap(({ sizes }) => sizes)),
    };
  });

  const texts = captions.map((caption) => caption.toLowerCase());
  const backgrounds = BACKGROUNDS.filter((name) => texts.some((text) => BACKGROUND_PATTERNS[name].test(text)));
  const qualities = texts.flatMap((text) => (text.match(QUALITY_PATTERN)?.[1] as Quality | undefined) ?? []);
  return { width, height, background: onlyOne(backgrounds), quality: onlyOne(qualities), objects };
}
