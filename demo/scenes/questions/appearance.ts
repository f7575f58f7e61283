import { withArticle } from '../captions.ts';
import { COLORS, findCategory, GROUP_SINGULAR, GROUPS, SIZES } from '../vocabulary.ts';
import { type Ask, absentCategories, type Draft, only, presentCategories, uniqueObjects } from './draft.ts';

/** "What is the red thing?", "Which animal is here?" */
export const askIdentity: Ask = (scene, random) => {
  const drafts: Draft[] = [];
  const absent = absentCategories(scene, random);

  for (const object of uniqueObjects(scene)) {
    const others = random.shuffle(presentCategories(scene).filter((name) => name !== object.category));
    // Three wrong answers of which at most two are on the image: else "is it there?" would never matter.
    const wrong = [...others.slice(0, 2), ...absent];
    // A thing of unknown color might be of this color too.
    const colorsKnown = scene.objects.every(({ color }) => color !== undefined);
    if (colorsKnown && scene.objects.filter(({ color }) => color === object.color).length === 1) {
      drafts.push({
        question: random.pick([`What is the ${object.color} thing?`, `Which thing is ${object.color}?`]),
        answer: object.category,
        wrong,
        rationales: [
          `the ${object.color} thing is ${withArticle(object.category)}.`,
          `only the ${object.category} is ${object.color}.`,
          `${withArticle(object.category)} is ${object.color} here.`,
        ],
      });
    }
  }

  const allKnown = scene.objects.every(({ category }) => findCategory(category));
  for (const group of allKnown ? GROUPS : []) {
    const member = only(scene.objects.filter(({ category }) => findCategory(category)?.group === group));
    if (!member || group === 'things') continue;
    const sameGroup = absent.filter((name) => findCategory(name)?.group === group);
    drafts.push({
      question: random.pick([`Which ${GROUP_SINGULAR[group]} is here?`, `What ${GROUP_SINGULAR[group]} can be seen?`]),
      answer: member.category,
      wrong: sameGroup,
      rationales: [
        `the ${GROUP_SINGULAR[group]} is ${withArticle(member.category)}.`,
        `there is ${withArticle(member.category)} in the picture.`,
        `${withArticle(member.category)} can be seen.`,
      ],
    });
  }
  return drafts.length > 0 ? random.pick(drafts) : undefined;
};

/** "What color is the cat?" */
export const askColor: Ask = (scene, random) => {
  const colored = uniqueObjects(scene).filter(({ color }) => color !== undefined);
  if (colored.length === 0) return undefined;
  const { category, color } = random.pick(colored);
  const onImage = random.shuffle(COLORS.filter((name) => scene.objects.some((other) => other.color === name)));
  const elsewhere = random.shuffle(COLORS.filter((name) => !onImage.includes(name)));
  return {
    question: random.pick([
      `What color is the ${category}?`,
      `What is the color of the ${category}?`,
      `Which color does the ${category} have?`,
    ]),
    answer: color as string,
    wrong: [...onImage, ...elsewhere].filter((name) => name !== color),
    rationales: [
      `the ${category} is ${color}.`,
      `the color of the ${category} is ${color}.`,
      `there is ${withArticle(`${color} ${category}`)} here.`,
    ],
  };
};

/** "Which is larger, the cat or the car?", "Which thing has the same color as the cat?" */
export const askComparison: Ask = (scene, random) => {
  const drafts: Draft[] = [];
  const unique = uniqueObjects(scene);
  const absent = absentCategories(scene, random);
  const names = (wanted: (object: (typeof unique)[number]) => boolean) =>
    random.shuffle(scene.objects.filter(wanted).map(({ category }) => category));

  for (const first of unique) {
    const others = scene.objects.filter((other) => other !== first);

    const second = random.shuffle(others.filter((other) => unique.includes(other) && other.size))[0];
    if (first.size && second?.size) {
      const larger =
        first.size === second.size ? 'same size' : first.size === 'large' ? first.category : second.category;
      drafts.push({
        question: `Which is larger, the ${first.category} or the ${second.category}?`,
        answer: larger,
        wrong: [
          ...random.shuffle([first.category, second.category, 'same size'].filter((name) => name !== larger)),
          ...absent,
        ],
        rationales: [
          `the ${first.category} is ${first.size} and the ${second.category} is ${second.size}.`,
          `in the picture the ${first.category} is ${first.size}.`,
          `in the picture the ${second.category} is ${second.size}.`,
        ],
      });
    }

    for (const key of ['color', 'size'] as const) {
      if (!scene.objects.every((object) => object[key])) continue;
      const match = only(others.filter((other) => other[key] === first[key]));
      if (!match || !unique.includes(match)) continue;
      drafts.push({
        question: random.pick([
          `Which thing has the same ${key} as the ${first.category}?`,
          `What has the ${first.category}'s ${key} too?`,
        ]),
        answer: match.category,
        wrong: [...names((other) => other !== first && other !== match), ...absent],
        rationales: [
          `the ${first.category} and the ${match.category} are both ${first[key]}.`,
          `both things are ${first[key]}.`,
          `the ${match.category} is ${first[key]} too.`,
        ],
      });
    }
  }
  return drafts.length > 0 ? random.pick(drafts) : undefined;
};

/** Draws the size half of the physical questions: "Which thing here is small?" */
export const askSize: Ask = (scene, random) => {
  const drafts: Draft[] = [];
  if (!scene.objects.every(({ size }) => size)) return undefined;
  for (const size of SIZES) {
    const match = only(scene.objects.filter((object) => object.size === size));
    if (!match) continue;
    drafts.push({
      question: random.pick([`Which thing here is ${size}?`, `What is the ${size} thing?`]),
      answer: match.category,
      wrong: [
        ...random.shuffle(presentCategories(scene).filter((name) => name !== match.category)),
        ...absentCategories(scene, random),
      ],
      rationales: [
        `the ${match.category} is ${size}.`,
        `only the ${match.category} is ${size}.`,
        `the other things are not ${size}.`,
      ],
    });
  }
  return drafts.length > 0 ? random.pick(drafts) : undefined;
};
