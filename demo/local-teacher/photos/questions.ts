import type { SeededRandom } from '../../../src/core/seeded-random.ts';
import { withArticle } from '../../scenes/captions.ts';
import type { Draft } from '../../scenes/questions/draft.ts';
import type { SceneQuestion } from '../../scenes/questions.ts';
import { finishQuestion } from '../../scenes/questions.ts';
import {
  type AskAboutPhoto,
  coloredNouns,
  describedNouns,
  largestShare,
  type Photo,
  type PhotoDraft,
} from './photo.ts';
import { askNature, askPeople, askPlacement, askTouch, askWhereabouts } from './relations.ts';
import { INDOORS, KINDS, OUTDOORS, type Thing } from './things.ts';
import { ACTIONS, MATERIALS, MOODS, PHOTO_COLORS, QUALITY_WORDS, STYLES, SURROUNDINGS } from './words.ts';

/**
 * Asks a question of one of the reference system's types about a photograph, from what its captions and boxes say.
 *
 * @returns undefined when they don't say enough
 */
export function askAboutPhoto(type: string, photo: Photo, random: SeededRandom): SceneQuestion | undefined {
  const drafts = draftsOf(type, photo, random);
  return drafts.length > 0 ? finishQuestion(random.pick(drafts), random) : undefined;
}

/** The answer of a question that `askAboutPhoto` may have asked. */
export function answerAboutPhoto(question: string, photo: Photo, random: SeededRandom): string[] {
  return Object.keys(ASKERS)
    .flatMap((type) => draftsOf(type, photo, random))
    .flatMap((draft) => (draft.question === question ? draft.answer : []));
}

function draftsOf(type: string, photo: Photo, random: SeededRandom): Draft[] {
  const ask = Object.hasOwn(ASKERS, type) ? ASKERS[type] : undefined;
  const usable = (ask?.(photo, random) ?? []).filter(
    ({ answer, wrong }) => new Set(wrong.filter((other) => other !== answer)).size >= 3,
  );
  return usable.map(({ rationale, ...draft }) => ({ ...draft, rationales: [rationale, rationale, rationale] }));
}

const names = (things: readonly Thing[]) => things.map(({ name }) => name);

const askKindOf: AskAboutPhoto = ({ present, absent }, random) =>
  KINDS.flatMap((kind) => {
    const [only, ...others] = present.filter(({ thing }) => thing.kind === kind);
    if (!only || others.length > 0) return [];
    const alike = absent.filter((thing) => thing.kind === kind);
    const isRare = alike.length < 3;
    return {
      question: isRare ? 'Which of these can be seen?' : `Which ${kind} can be seen?`,
      answer: only.thing.name,
      wrong: random.shuffle(names(isRare ? absent : alike)),
      rationale: `one can see ${withArticle(only.thing.name)}, and none of the others.`,
    };
  });

const askAttribute: AskAboutPhoto = (photo, random) => {
  const colors = [...coloredNouns(photo)].map(([noun, color]) => ({
    question: `What color is the ${noun}?`,
    answer: color,
    wrong: random.shuffle(PHOTO_COLORS.filter((other) => !photo.captions.some((text) => text.includes(other)))),
    rationale: `the ${noun} is ${color}.`,
  }));
  const materials = [...describedNouns(photo, MATERIALS)].map(([noun, material]) => ({
    question: `What does the ${noun} look like, by its material?`,
    answer: material,
    wrong: random.shuffle(MATERIALS.filter((other) => !photo.captions.some((text) => text.includes(other)))),
    rationale: `the ${noun} is ${material}.`,
  }));
  const kinds = photo.present.map(({ thing: { name, kind } }) => ({
    question: `What kind of thing is the ${name}?`,
    answer: kind,
    wrong: random.shuffle(KINDS.filter((other) => other !== kind)),
    rationale: `${withArticle(name)} is ${withArticle(kind)}.`,
  }));
  const specific = [...colors, ...materials];
  return specific.length > 0 ? specific : kinds;
};

/** Of two areas the larger must be this much larger. */
const clearlyLarger = 1.8;

const askComparison: AskAboutPhoto = ({ present, absent }, random) =>
  present.flatMap((first) =>
    present.flatMap((second) => {
      const [one, other] = [first.thing.name, second.thing.name];
      const drafts: PhotoDraft[] = [];
      if (one >= other) return drafts;
      const add = (question: string, answer: string, why: string) => {
        const wrong = [answer === one ? other : one, 'both alike', ...random.shuffle(names(absent))];
        drafts.push({ question, answer, wrong, rationale: why });
      };
      const ratio = largestShare(first.boxes) / largestShare(second.boxes);
      if (ratio > clearlyLarger || ratio < 1 / clearlyLarger) {
        const larger = ratio > 1 ? one : other;
        add(
          `Which looks larger here, the ${one} or the ${other}?`,
          larger,
          `the ${larger} takes up more of the picture.`,
        );
      }
      if (first.boxes.length !== second.boxes.length) {
        const more = first.boxes.length > second.boxes.length ? one : other;
        add(`Which are there more of, of the kind ${one} or ${other}?`, more, `more of the kind ${more} can be seen.`);
      }
      return drafts;
    }),
  );

const askFact: (key: 'use' | 'fact') => AskAboutPhoto = (key) => (photo, random) =>
  photo.present.flatMap(({ thing }) => {
    const phrase = thing[key];
    if (phrase === undefined) return [];
    const others = photo.present.flatMap((other) => (other.thing === thing ? [] : other.thing.name));
    return {
      question: `Which thing here ${phrase}?`,
      answer: thing.name,
      wrong: [...random.shuffle(others).slice(0, 2), ...random.shuffle(names(photo.absent))],
      rationale: `of all these it is ${withArticle(thing.name)} that ${phrase}.`,
    };
  });

const WEIGHTS = [
  ['less than 1 kilogram', 1],
  ['1 to 20 kilograms', 20],
  ['20 to 200 kilograms', 200],
  ['more than 200 kilograms', Number.POSITIVE_INFINITY],
] as const;

const askWeight: AskAboutPhoto = ({ present }) =>
  present.flatMap(({ thing: { name, weight } }) => {
    const fit = WEIGHTS.find(([, most]) => weight < most);
    // Close to a limit a person would hesitate.
    const isClear = [1, 20, 200].every((limit) => weight < limit * 0.7 || weight > limit * 1.4);
    if (!fit || !isClear) return [];
    return {
      question: `How heavy is a thing like the ${name} in real life?`,
      answer: fit[0],
      wrong: WEIGHTS.flatMap(([text]) => (text === fit[0] ? [] : text)),
      rationale: `${withArticle(name)} weighs ${fit[0]}.`,
    };
  });

const askAction: AskAboutPhoto = ({ captions }, random) => {
  const done = ACTIONS.filter(({ forms }) => captions.some((text) => forms.test(text)));
  const notDone = random.shuffle(ACTIONS.filter((other) => !done.includes(other)));
  return done.map(({ name }) => ({
    question: 'What is going on in the picture?',
    answer: name,
    wrong: notDone.map((other) => other.name),
    rationale: `one can see ${name}, and none of the others.`,
  }));
};

const askFuture: AskAboutPhoto = ({ captions, present }, random) => {
  const done = ACTIONS.filter(({ forms }) => captions.some((text) => forms.test(text)));
  const notDone = random.shuffle(ACTIONS.filter((other) => !done.includes(other))).map(({ next }) => next);
  const drafts = done.map(({ name, next }) => ({
    question: `What is likely to follow on the ${name} that can be seen?`,
    answer: next,
    wrong: notDone,
    rationale: `after ${name} usually comes ${next}.`,
  }));
  const food = present.filter(({ thing }) => thing.kind === 'food');
  return [
    ...drafts,
    ...food.map(({ thing: { name } }) => ({
      question: `What will most likely become of the ${name}?`,
      answer: 'it is eaten',
      wrong: ['it drives away', 'it is read', 'it falls asleep'],
      rationale: `${withArticle(name)} is food, so it is eaten soon.`,
    })),
  ];
};

const askSurroundings: AskAboutPhoto = ({ captions, present }, random) => {
  const fits = SURROUNDINGS.filter(({ pattern }) => captions.some((text) => pattern.test(text)));
  const [best] = fits;
  const others = random.shuffle(SURROUNDINGS.filter((other) => !fits.includes(other)));
  const places = best
    ? [
        {
          question: 'Where was this picture taken?',
          answer: best.name,
          wrong: others.map(({ name }) => name),
          rationale: `the surroundings are those of ${best.name}.`,
        },
      ]
    : [];
  const count = (where: ReadonlySet<string>) => present.filter(({ thing }) => where.has(thing.name)).length;
  const [inside, outside] = [count(INDOORS), count(OUTDOORS)];
  if (inside === outside) return places;
  const answer = inside > outside ? 'indoors' : 'outdoors';
  const doors = {
    question: 'Is this indoors or outdoors?',
    answer,
    wrong: [answer === 'indoors' ? 'outdoors' : 'indoors', 'under water', 'inside a tent'],
    rationale: `what can be seen belongs ${answer}.`,
  };
  return [...places, doors];
};

const byWords =
  (question: string, all: readonly { name: string; pattern: RegExp }[], more: readonly string[], usual?: string) =>
  ({ captions }: Photo, random: SeededRandom): PhotoDraft[] => {
    const fits = all.filter(({ pattern }) => captions.some((text) => pattern.test(text)));
    const answer = fits[0]?.name ?? usual;
    if (answer === undefined) return [];
    const others = [...all.filter((other) => !fits.includes(other)).map(({ name }) => name), ...more];
    return [{ question, answer, wrong: random.shuffle(others), rationale: `the picture is ${answer}.` }];
  };

const TOPICS: Readonly<Record<string, string>> = {
  person: 'people',
  animal: 'animals',
  vehicle: 'traffic',
  furniture: 'a room',
  food: 'food',
  tableware: 'a meal',
  device: 'household devices',
  'sports gear': 'sports',
  'street object': 'a street',
};

const askTopic: AskAboutPhoto = ({ present }, random) => {
  const byShare = [...present].sort((left, right) => largestShare(right.boxes) - largestShare(left.boxes));
  const [main] = byShare;
  const answer = main && TOPICS[main.thing.kind];
  if (!main || answer === undefined) return [];
  const seen = new Set(present.map(({ thing }) => TOPICS[thing.kind]));
  return [
    {
      question: 'What is this picture mainly about?',
      answer,
      wrong: random.shuffle(Object.values(TOPICS).filter((topic) => !seen.has(topic))),
      rationale: `the ${main.thing.name} takes up most of the picture.`,
    },
  ];
};

const ASKERS: Readonly<Record<string, AskAboutPhoto>> = {
  identity_reasoning: askKindOf,
  attribute_recognition: askAttribute,
  attribute_comparison: askComparison,
  object_localization: askWhereabouts,
  spatial_relationship: askPlacement,
  physical_relation: askTouch,
  nature_relation: askNature,
  social_relation: askPeople,
  function_reasoning: askFact('use'),
  'knowledge-based_reasoning': askFact('fact'),
  physical_property_reasoning: askWeight,
  action_recognition: askAction,
  future_prediction: askFuture,
  image_scene: askSurroundings,
  image_emotion: byWords('Which mood does the picture give?', MOODS, ['frightening', 'festive']),
  image_style: byWords('What type of picture is this?', STYLES, [], 'a photo'),
  image_quality: byWords('How does the picture look as a whole?', QUALITY_WORDS, ['scratched', 'faded']),
  image_topic: askTopic,
};
