/** Benchmarks of the bridge whose answers are letters, or yes and no. */
import type { BridgeBenchmark, Row } from './bridge-benchmark.ts';
import { askAny, askExists, askHasColor, askShort, type Drawn, rightChoice, type SceneQuestion } from './draws.ts';

const letters = ['A', 'B', 'C', 'D'] as const;
const letterOf = ({ correctChoiceIndex }: SceneQuestion) => letters[correctChoiceIndex] as string;
const listed = (choices: readonly string[], mark: string, end: string) =>
  choices.map((choice, index) => `${letters[index]}${mark} ${choice}`).join(end);

const pope: BridgeBenchmark = {
  name: 'pope',
  task: 'pope/pope.yaml',
  split: 'test',
  metric: 'pope_accuracy',
  measure: 'accuracy',
  figures: ({ measures, combined }) => ({
    pope_accuracy: measures.accuracy?.value ?? -1,
    pope_precision: measures.precision?.value ?? -1,
    pope_recall: measures.recall?.value ?? -1,
    pope_f1_score: combined?.f1?.value ?? -1,
  }),
  changes: {
    keys: { lmms_eval_specific_kwargs: { default: { pre_prompt: '', post_prompt: '' } } },
    why: 'POPE asks the bare question; lmms-eval adds a sentence by default',
  },
  differs: {
    how: 'lmms-eval takes the words yes and no alone; its authors take any answer without no or not for yes',
    isReadAlike: (answer) => /^\s*(?:yes|no)\s*$/i.test(answer),
  },
  rows: (drawn) =>
    drawn.map(({ image, random, number }) => {
      const isThere = number % 2 === 0;
      const question = askExists(image, isThere, random);
      const answer = isThere ? 'yes' : 'no';
      const source = image.fileName.replace('.jpg', '');
      const ids = { id: String(number), question_id: String(number + 1) };
      return { ...ids, question, answer, image_source: source, image: image.fileName, category: 'random' };
    }),
  idOf: ({ question_id: id }) => `random/${id}`,
  official: (rows) => ({
    'coco_pope_random.json': rows.map(({ question_id: id, image, question: text, answer: label }) => {
      return { question_id: Number(id), image, text, label };
    }),
  }),
  file: 'coco_pope_random.json',
};

const cognition = new Set(['commonsense_reasoning']);

const mme: BridgeBenchmark = {
  name: 'mme',
  task: 'mme/mme.yaml',
  split: 'test',
  metric: ({ category }) => (cognition.has(category as string) ? 'mme_cognition_score' : 'mme_perception_score'),
  measure: 'accuracy',
  figures: ({ combined }) => ({
    mme_perception_score: combined?.perception?.value ?? -1,
    mme_cognition_score: combined?.cognition?.value ?? -1,
  }),
  changes: {
    keys: { lmms_eval_specific_kwargs: { default: { pre_prompt: '', post_prompt: '' } } },
    why: "MME's questions say themselves how they are answered; lmms-eval replaces that sentence by default",
  },
  rows: (drawn) =>
    drawn.slice(0, Math.floor(drawn.length / 2)).flatMap(({ image, random, number }): Row[] => {
      const category = ['existence', 'color', 'commonsense_reasoning'][number % 3] as string;
      return [true, false].map((isRight) => {
        const own = random.fork(String(isRight));
        const words = category === 'color' ? askHasColor(image, isRight, own) : askExists(image, isRight, own);
        const [id, question] = [`${category}/${image.fileName}`, `${words} Please answer yes or no.`];
        return { question_id: id, image: image.fileName, question, answer: isRight ? 'Yes' : 'No', category };
      });
    }),
  idOf: ({ category, question_id: id }, number) => `${category}/${id}#${(number % 2) + 1}`,
  file: 'mme.parquet',
};

const scienceQa: BridgeBenchmark = {
  name: 'scienceqa-img',
  task: 'scienceqa/scienceqa_img.yaml',
  split: 'test',
  metric: 'exact_match',
  measure: 'accuracy',
  rows: (drawn) =>
    drawn.map((one) => {
      const { question, choices, correctChoiceIndex } = askAny(one);
      const hint = one.number % 3 === 0 ? (one.image.captions[0] as string) : '';
      const about = { grade: `grade${1 + (one.number % 12)}`, subject: 'natural science', topic: 'physics' };
      const texts = { task: 'closed choice', category: 'Materials', skill: 'Look', lecture: '', solution: '' };
      return { image: one.image.fileName, question, choices, answer: correctChoiceIndex, hint, ...about, ...texts };
    }),
  idOf: (_, number) => String(number + 1),
  file: 'test.parquet',
  withoutParquet: (rows) => ({
    'problems.json': Object.fromEntries(rows.map((row, number) => [String(number + 1), { ...row, split: 'test' }])),
  }),
};

/** Of each category the abilities that MMStar reports. */
const abilities = {
  'coarse perception': ['image scene and topic', 'image style & quality', 'image emotion'],
  'fine-grained perception': ['object counting', 'recognition', 'localization'],
  'instance reasoning': [
    ...['single-instance reasoning', 'cross-instance attribute reasoning', 'cross-instance relation reasoning'],
  ],
  'logical reasoning': ['code & sequence reasoning', 'diagram reasoning', 'common reasoning'],
  'science & technology': [
    'biology & chemistry & physics',
    'electronics & energy & mechanical eng.',
    'geography & earth science & agriculture',
  ],
  math: ['geometry', 'numeric commonsense and calculation', 'statistical reasoning'],
};
const abilityPairs = Object.entries(abilities).flatMap(([category, all]) => all.map((l2) => [category, l2] as const));

const mmstar: BridgeBenchmark = {
  name: 'mmstar',
  task: 'mmstar/mmstar.yaml',
  split: 'val',
  metric: 'average',
  measure: 'accuracy',
  // Each ability counts the same.
  figures({ measures }) {
    const all = Object.values(measures.accuracy?.groups.ability ?? {});
    return { average: all.reduce((sum, { value }) => sum + value, 0) / all.length };
  },
  rows: (drawn) =>
    drawn.map((one) => {
      const asked = askAny(one);
      const [category, l2] = abilityPairs[one.number % abilityPairs.length] as (typeof abilityPairs)[0];
      const question = `${asked.question}\nOptions: ${listed(asked.choices, ':', ', ')}`;
      const meta = { source: 'made', split: 'val', image_path: one.image.fileName };
      const row = { index: one.number, question, image: one.image.fileName, answer: letterOf(asked) };
      return { ...row, category, l2_category: l2, meta_info: meta };
    }),
  idOf: ({ index }) => String(index),
  file: 'mmstar.parquet',
};

const ai2d: BridgeBenchmark = {
  name: 'ai2d',
  task: 'ai2d/ai2d.yaml',
  split: 'test',
  metric: 'exact_match',
  measure: 'accuracy',
  rows: (drawn) =>
    drawn.map((one) => {
      const { question, choices, correctChoiceIndex } = askAny(one);
      return { question, options: choices, answer: String(correctChoiceIndex), image: one.image.fileName };
    }),
  idOf: (_, number) => String(number + 1),
  file: 'ai2d.parquet',
};

const onlyLetter = 'Please answer directly with only the letter of the correct option and nothing else.';
const oneWord = 'Please answer directly with a single word or phrase.';

const realWorldQa: BridgeBenchmark = {
  name: 'realworldqa',
  task: 'realworldqa/realworldqa.yaml',
  split: 'test',
  metric: 'exact_match',
  measure: 'accuracy',
  rows: (drawn: readonly Drawn[]) =>
    drawn.map((one) => {
      const { image, number } = one;
      if (number % 4 === 0) {
        const asked = askShort(one);
        return { image: image.fileName, question: `${asked.question} ${oneWord}`, answer: rightChoice(asked) };
      }
      const asked = askAny(one);
      const question = `${asked.question}\n\n${listed(asked.choices, '.', '\n')}\n\n${onlyLetter}`;
      return { image: image.fileName, question, answer: letterOf(asked) };
    }),
  idOf: (_, number) => String(number + 1),
  file: 'test.parquet',
};

export const choiceBenchmarks: readonly BridgeBenchmark[] = [pope, mme, scienceQa, mmstar, ai2d, realWorldQa];
