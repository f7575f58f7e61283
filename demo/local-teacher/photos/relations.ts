import { withArticle } from '../../scenes/captions.ts';
import { placeOfBox } from '../../scenes/scene.ts';
import { PLACES } from '../../scenes/vocabulary.ts';
import {
  type AskAboutPhoto,
  heldThings,
  largestShare,
  type Photo,
  type PhotoDraft,
  placedThings,
  RELATION_NAMES,
} from './photo.ts';
import { GROUPS_OF_PEOPLE } from './words.ts';

/** More than this many of a kind are hard to count. */
const mostToCount = 6;
/** Boxes below this share of the image are too small to ask about. */
const leastShare = 0.004;

/** "How many chairs are there?", "In which part is the dog?" */
export const askWhereabouts: AskAboutPhoto = ({ present }, random) =>
  present.flatMap(({ thing: { name }, boxes }) => {
    const [first] = boxes;
    if (first === undefined || largestShare(boxes) < leastShare || boxes.length > mostToCount) return [];
    if (boxes.length > 1) {
      const near = [boxes.length + 1, boxes.length - 1, boxes.length + 2, boxes.length + 3];
      return {
        question: `How many of the kind ${name} can be seen?`,
        answer: String(boxes.length),
        wrong: near.filter((count) => count > 0).map(String),
        rationale: `one can count ${boxes.length} of the kind ${name}.`,
      };
    }
    const [left, top, right, bottom] = first;
    const place = placeOfBox([left, top, right - left, bottom - top], 1, 1);
    return {
      question: `In which part of the picture is the ${name}?`,
      answer: place,
      wrong: random.shuffle(PLACES.filter((other) => other !== place)),
      rationale: `the ${name} is at the ${place}.`,
    };
  });

/** "How is the dog placed to the truck?" */
export const askPlacement: AskAboutPhoto = (photo, random) => {
  const placed = placedThings(photo);
  const fromCaptions = placed.map(({ subject, relation, object }) => {
    const said = placed.filter((other) => other.subject === subject && other.object === object);
    const others = RELATION_NAMES.filter((name) => !said.some((other) => other.relation === name));
    return {
      question: `How is the ${subject} placed to the ${object}?`,
      answer: relation,
      wrong: random.shuffle(others),
      rationale: `the ${subject} is ${relation} the ${object}.`,
    };
  });
  return [...fromCaptions, ...sides(photo)];
};

/** Of things that are there once: which is further to the left. */
function sides({ present }: Photo): PhotoDraft[] {
  const single = present.filter(({ boxes }) => boxes.length === 1 && largestShare(boxes) > leastShare);
  return single.flatMap((first) =>
    single.flatMap((second) => {
      const [one, other] = [first.boxes[0], second.boxes[0]];
      if (!one || !other || first.thing.name >= second.thing.name) return [];
      const gap = (one[0] + one[2] - other[0] - other[2]) / 2;
      if (Math.abs(gap) < 0.2) return [];
      const answer = gap < 0 ? 'left' : 'right';
      return {
        question: `On which side of the ${second.thing.name} is the ${first.thing.name}?`,
        answer,
        wrong: [answer === 'left' ? 'right' : 'left', 'on top of it', 'inside it'],
        rationale: `the ${first.thing.name} is to the ${answer} of the ${second.thing.name}.`,
      };
    }),
  );
}

/** "What is being held?", "What is the cat on?" */
export const askTouch: AskAboutPhoto = (photo, random) => {
  const absent = random.shuffle(photo.absent.map(({ name }) => name));
  const held = heldThings(photo).map(({ verb, noun }) => ({
    question: `What is being ${verb} here?`,
    answer: noun,
    wrong: absent,
    rationale: `the thing that is ${verb} is the ${noun}.`,
  }));
  const touching = placedThings(photo).flatMap(({ subject, relation, object }) =>
    relation === 'on' || relation === 'in' || relation === 'against'
      ? {
          question: `What is the ${subject} ${relation}?`,
          answer: object,
          wrong: absent,
          rationale: `the ${subject} is ${relation} the ${object}.`,
        }
      : [],
  );
  const closest = photo.present.flatMap((inner) =>
    photo.present.flatMap((outer) => (inner !== outer && rests(inner.boxes, outer.boxes) ? { inner, outer } : [])),
  );
  const resting = closest.map(({ inner, outer }) => ({
    question: `What does the ${inner.thing.name} touch?`,
    answer: outer.thing.name,
    wrong: absent,
    rationale: `the ${inner.thing.name} touches the ${outer.thing.name}.`,
  }));
  return held.length + touching.length > 0 ? [...held, ...touching] : resting;
};

type Boxes = Photo['present'][number]['boxes'];

/** Whether the only box of one lies within the only box of the other. */
function rests([inner, ...more]: Boxes, [outer, ...others]: Boxes): boolean {
  if (!inner || !outer || more.length + others.length > 0) return false;
  return inner[0] >= outer[0] && inner[1] >= outer[1] && inner[2] <= outer[2] && inner[3] <= outer[3];
}

const FEEDING: Readonly<Record<string, string>> = {
  bird: 'it picks seeds, fruit and insects',
  cat: 'it hunts mice and birds',
  dog: 'it lives with people, who feed it',
  horse: 'it grazes and is kept by people',
  sheep: 'it grazes in a flock',
  cow: 'it grazes and chews the cud',
  elephant: 'it tears off leaves with its trunk',
  bear: 'it hunts fish and gathers berries',
  zebra: 'it grazes on the savanna in a herd',
  giraffe: 'it reaches for the leaves of tall trees',
};

const GROWTH: Readonly<Record<string, string>> = {
  apple: 'on a tree',
  orange: 'on a tree',
  banana: 'on a tall plant, in bunches',
  carrot: 'under the ground',
  broccoli: 'on a stalk in a vegetable bed',
  'potted plant': 'in the soil of its pot',
};

/** "How does the sheep find its food in nature?", "Which of these is alive?" */
export const askNature: AskAboutPhoto = ({ present, absent }, random) => {
  const about = (table: Readonly<Record<string, string>>, question: (name: string) => string) =>
    present.flatMap(({ thing: { name } }) => {
      const answer = table[name];
      if (answer === undefined) return [];
      const wrong = random.shuffle(Object.values(table).filter((other) => other !== answer));
      return { question: question(name), answer, wrong, rationale: `of ${withArticle(name)} one knows: ${answer}.` };
    });
  const specific = [
    ...about(FEEDING, (name) => `How does an animal like the ${name} find its food?`),
    ...about(GROWTH, (name) => `Where in nature does a thing like the ${name} grow?`),
  ];
  const isAlive = ({ kind }: { kind: string }) => ['person', 'animal', 'plant'].includes(kind);
  const alive = present.filter(({ thing }) => isAlive(thing));
  const [only] = alive;
  if (specific.length > 0 || !only || alive.length > 1) return specific;
  return [
    {
      question: 'Which living thing can be seen in its surroundings?',
      answer: only.thing.name,
      wrong: random.shuffle(absent.filter(isAlive).map(({ name }) => name)),
      rationale: `the only living thing is ${withArticle(only.thing.name)}.`,
    },
  ];
};

/** "Who is together here?" */
export const askPeople: AskAboutPhoto = ({ captions, present }) => {
  const people = present.find(({ thing }) => thing.name === 'person')?.boxes.length ?? 0;
  // Annotators box people in the background that captions leave out, and the reverse.
  const isNamed = captions.some((text) =>
    /\b(?:people|persons?|m[ae]n|wom[ae]n|boys?|girls?|child(?:ren)?|kids?|players?|friends|family|couple)\b/.test(
      text,
    ),
  );
  if (people === 0 && isNamed) return [];
  const answer = GROUPS_OF_PEOPLE[Math.min(3, people)] as string;
  return [
    {
      question: 'Who is together in this picture?',
      answer,
      wrong: GROUPS_OF_PEOPLE.filter((other) => other !== answer),
      rationale: `one can see ${answer}.`,
    },
  ];
};
