import type { SeededRandom } from '../../../src/core/seeded-random.ts';
import { type Fact, FUNCTIONS, KNOWLEDGE, TYPICAL_WEIGHT } from '../knowledge.ts';
import type { PartialScene } from '../scene.ts';
import { type CategoryName, findCategory } from '../vocabulary.ts';
import { askSize } from './appearance.ts';
import { type Ask, absentCategories, type Draft, only, presentCategories } from './draft.ts';

function askFact(facts: readonly Fact[], scene: PartialScene, random: SeededRandom): Draft | undefined {
  const present = presentCategories(scene);
  // Nothing is known of COCO's other categories: they might be an answer too.
  if (!present.every(findCategory)) return undefined;
  const holds = (fact: Fact, name: string) => fact.categories.includes(name as CategoryName);
  const usable = facts.filter((fact) => only(present.filter((name) => holds(fact, name))));
  if (usable.length === 0) return undefined;

  const fact = random.pick(usable);
  const answer = present.find((name) => holds(fact, name)) as string;
  const absent = absentCategories(scene, random);
  // Half of the time a wrong answer would be right if it were there, so that one has to look.
  const tempting = random.uniform() < 0.5 ? absent.filter((name) => holds(fact, name)).slice(0, 1) : [];
  return {
    question: random.pick([`Which thing here ${fact.phrase}?`, `What in this picture ${fact.phrase}?`]),
    answer,
    wrong: [
      ...random.shuffle(present.filter((name) => name !== answer)).slice(0, 2),
      ...tempting,
      ...absent.filter((name) => !holds(fact, name)),
    ],
    rationales: [
      `the ${answer} ${fact.phrase}.`,
      `of these things only the ${answer} ${fact.phrase}.`,
      `a typical ${answer} ${fact.phrase}.`,
    ],
  };
}

/** "Which thing here can be eaten?" */
export const askFunction: Ask = (scene, random) => askFact(FUNCTIONS, scene, random);

/** "Which thing here lays eggs?" */
export const askKnowledge: Ask = (scene, random) => askFact(KNOWLEDGE, scene, random);

/** How much heavier one must be than all others for a fair question. */
const CLEAR_RATIO = 2;

const askWeight: Ask = (scene, random) => {
  const present = presentCategories(scene);
  if (present.length < 2 || !present.every(findCategory)) return undefined;
  const weight = (name: string) => TYPICAL_WEIGHT[name as CategoryName];
  const sorted = [...present].sort((left, right) => weight(left) - weight(right));
  const drafts: Draft[] = [];
  const add = (word: string, answer: string, next: string) => {
    const ratio = Math.max(weight(answer) / weight(next), weight(next) / weight(answer));
    if (ratio < CLEAR_RATIO) return;
    drafts.push({
      question: random.pick([`Which thing here is ${word} in real life?`, `What here would be the ${word}?`]),
      answer,
      wrong: [...random.shuffle(present.filter((name) => name !== answer)), ...absentCategories(scene, random)],
      rationales: [
        `in real life the ${answer} is the ${word} of these things.`,
        `a real ${next} is not the ${word} here.`,
        `the ${answer} is the ${word}.`,
      ],
    });
  };
  add('heaviest', sorted.at(-1) as string, sorted.at(-2) as string);
  add('lightest', sorted[0] as string, sorted[1] as string);
  return drafts.length > 0 ? random.pick(drafts) : undefined;
};

/** "Which thing here is small?", "Which thing here is heaviest in real life?" */
export const askPhysicalProperty: Ask = (scene, random) => {
  const [first, second] = random.shuffle([askSize, askWeight]) as [Ask, Ask];
  return first(scene, random) ?? second(scene, random);
};
