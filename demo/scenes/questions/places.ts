import type { PartialObject, PartialScene } from '../scene.ts';
import { PLACES } from '../vocabulary.ts';
import { type Ask, absentCategories, type Draft, only, presentCategories, uniqueObjects } from './draft.ts';

const PLACE_SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  middle: ['center'],
  'top left': ['upper left'],
  'top right': ['upper right'],
  'bottom left': ['lower left'],
  'bottom right': ['lower right'],
};

/** "Where is the cat?" */
export const askPlace: Ask = (scene, random) => {
  const unique = uniqueObjects(scene);
  if (unique.length === 0) return undefined;
  const { category, place } = random.pick(unique);
  const taken = random.shuffle(
    PLACES.filter((name) => name !== place && scene.objects.some((other) => other.place === name)),
  );
  const free = random.shuffle(PLACES.filter((name) => name !== place && !taken.includes(name)));
  return {
    question: random.pick([
      `Where is the ${category}?`,
      `In which part is the ${category}?`,
      `Where can the ${category} be found?`,
    ]),
    answer: place,
    wrong: [...taken.slice(0, 2), ...free, ...taken.slice(2)],
    synonyms: PLACE_SYNONYMS[place],
    rationales: [
      `the ${category} is at the ${place}.`,
      `the ${category} is in the ${place} of the picture.`,
      `look at the ${place} to see the ${category}.`,
    ],
  };
};

export const DIRECTIONS = ['left', 'right', 'above', 'below'] as const;
export type Direction = (typeof DIRECTIONS)[number];

// Distances between centers, as a share of the image's side. Between the two a person would hesitate.
const CLEARLY_APART = 0.2;
const SAME_LINE = 0.1;

function distances(from: PartialObject, to: PartialObject, { width, height }: PartialScene): [number, number] {
  const center = ({ box: [x, y, w, h] }: PartialObject): [number, number] => [
    (x + w / 2) / width,
    (y + h / 2) / height,
  ];
  const [fromX, fromY] = center(from);
  const [toX, toY] = center(to);
  return [toX - fromX, toY - fromY];
}

/** The direction in which `to` lies as seen from `from`, when the two are in one row or one column. */
function directionOf(from: PartialObject, to: PartialObject, scene: PartialScene): Direction | undefined {
  const [across, down] = distances(from, to, scene);
  if (Math.abs(down) < SAME_LINE && Math.abs(across) > CLEARLY_APART) return across < 0 ? 'left' : 'right';
  if (Math.abs(across) < SAME_LINE && Math.abs(down) > CLEARLY_APART) return down < 0 ? 'above' : 'below';
  return undefined;
}

/** True, false, or undefined where it is a close call: does `to` lie on that side of `from`? */
function isOnSide(
  from: PartialObject,
  to: PartialObject,
  direction: Direction,
  scene: PartialScene,
): boolean | undefined {
  const [across, down] = distances(from, to, scene);
  const along = { left: -across, right: across, above: -down, below: down }[direction];
  if (along > CLEARLY_APART) return true;
  return along < SAME_LINE ? false : undefined;
}

const SIDE_PHRASES: Readonly<Record<Direction, string>> = {
  left: 'to the left of',
  right: 'to the right of',
  above: 'above',
  below: 'below',
};

/** "What is to the left of the cat?", "Where is the cat, seen from the car?" */
export const askRelation: Ask = (scene, random) => {
  const drafts: Draft[] = [];
  const unique = uniqueObjects(scene);
  const absent = absentCategories(scene, random);
  for (const anchor of unique) {
    const others = scene.objects.filter((other) => other !== anchor);

    for (const target of unique) {
      const direction = target === anchor ? undefined : directionOf(anchor, target, scene);
      if (!direction) continue;
      drafts.push({
        question: random.pick([
          `Where is the ${target.category}, seen from the ${anchor.category}?`,
          `On which side of the ${anchor.category} is the ${target.category}?`,
        ]),
        answer: direction,
        wrong: random.shuffle(DIRECTIONS.filter((name) => name !== direction)),
        rationales: [
          `the ${target.category} is ${SIDE_PHRASES[direction]} the ${anchor.category}.`,
          `the ${target.category} is at the ${target.place}.`,
          `the ${anchor.category} is at the ${anchor.place}.`,
        ],
      });
    }

    for (const direction of DIRECTIONS) {
      const sides = others.map((other) => isOnSide(anchor, other, direction, scene));
      if (sides.includes(undefined)) continue;
      const target = only(others.filter((_, index) => sides[index]));
      if (!target || !unique.includes(target)) continue;
      const elsewhere = presentCategories(scene).filter((name) => name !== target.category && name !== anchor.category);
      drafts.push({
        question: random.pick([
          `What is ${SIDE_PHRASES[direction]} the ${anchor.category}?`,
          `Which thing is ${SIDE_PHRASES[direction]} the ${anchor.category}?`,
        ]),
        answer: target.category,
        wrong: [...random.shuffle(elsewhere), ...absent],
        rationales: [
          `the ${target.category} is ${SIDE_PHRASES[direction]} the ${anchor.category}.`,
          `the ${target.category} is at the ${target.place}.`,
          `the ${anchor.category} is at the ${anchor.place}.`,
        ],
      });
    }
  }
  return drafts.length > 0 ? random.pick(drafts) : undefined;
};
