/** VLMEvalKit's data sets of the bridge: made TSVs under its names, and how this program reads the same files. */
import type { EvaluationSet } from '../../src/round/evaluation-sets.ts';
import {
  askAny,
  askCount,
  askExists,
  askHasColor,
  askShort,
  type Drawn,
  rightChoice,
  type SceneImage,
  type SceneQuestion,
} from './draws.ts';
import { optionRows, type TsvRow } from './tsv-files.ts';

export interface TsvBenchmark {
  /** As VLMEvalKit names the data set, whose rules go by the name. */
  name: string;
  /** How this program reads, asks and scores the file. */
  set: Pick<EvaluationSet, 'benchmark' | 'prompt' | 'questions'>;
  measure: string;
  rows(drawn: readonly Drawn[]): TsvRow[];
}

const quoted = (answers: readonly string[]) => `[${answers.map((answer) => `'${answer}'`).join(', ')}]`;

const ROTATION = 1_000_000;
/** Each question is four rows. */
const CIRCULAR_QUESTIONS = 100;

/** The options of a question in all rotations, the first row with the image. */
function rotations({ number, image }: Drawn, { question, choices, correctChoiceIndex }: SceneQuestion): TsvRow[] {
  return choices.map((_, turn) => {
    const texts = choices.map((_choice, place) => choices[(place + turn) % choices.length] as string);
    const answer = 'ABCD'[(correctChoiceIndex - turn + choices.length) % choices.length] as string;
    const [A, B, C, D] = texts as [string, string, string, string];
    const about = { category: `kind_${number % 3}`, 'l2-category': 'made', split: 'dev', image_path: image.fileName };
    const same: Record<string, string> = turn === 0 ? {} : { image: String(number) };
    return { index: number + turn * ROTATION, question, A, B, C, D, answer, ...about, ...same };
  });
}

function yesNoRow(number: number, image: SceneImage, question: string, isRight: boolean, category: string): TsvRow {
  return { index: number, question, answer: isRight ? 'Yes' : 'No', category, image_path: image.fileName };
}

function shortRow(one: Drawn, answers: (asked: SceneQuestion) => string, more: Record<string, string> = {}): TsvRow {
  const asked = askShort(one);
  return {
    ...{ index: one.number, question: asked.question, answer: answers(asked) },
    ...more,
    image_path: one.image.fileName,
  };
}

export const tsvBenchmarks: readonly TsvBenchmark[] = [
  {
    name: 'MMBench_DEV_EN',
    set: { benchmark: 'mmbench', prompt: 'opencompass' },
    measure: 'circular',
    rows: (drawn) => drawn.slice(0, CIRCULAR_QUESTIONS).flatMap((one) => rotations(one, askAny(one))),
  },
  { name: 'MMStar', set: { benchmark: 'tsv' }, measure: 'multipleChoice', rows: optionRows },
  {
    name: 'POPE',
    set: { benchmark: 'pope' },
    measure: 'accuracy',
    rows: (drawn) =>
      drawn.map(({ image, random, number }) => {
        const isThere = number % 2 === 0;
        return yesNoRow(number, image, askExists(image, isThere, random), isThere, 'random');
      }),
  },
  {
    name: 'MME',
    set: { benchmark: 'mme' },
    measure: 'accuracy',
    rows: (drawn) =>
      drawn.slice(0, Math.floor(drawn.length / 2)).flatMap(({ image, random, number }) =>
        [true, false].map((isRight, place) => {
          const words = askHasColor(image, isRight, random.fork(String(isRight)));
          return yesNoRow(2 * number + place, image, `${words} Please answer yes or no.`, isRight, 'color');
        }),
      ),
  },
  {
    name: 'TextVQA_VAL',
    set: { benchmark: 'tsv', questions: { metric: 'textvqa-accuracy' } },
    measure: 'vqaAccuracy',
    rows: (drawn) => drawn.map((one) => shortRow(one, ({ directAnswers }) => quoted(directAnswers))),
  },
  {
    name: 'GQA_TestDev_Balanced',
    set: { benchmark: 'gqa' },
    measure: 'accuracy',
    rows: (drawn) => drawn.map((one) => shortRow(one, rightChoice)),
  },
  {
    name: 'ChartQA_TEST',
    set: { benchmark: 'tsv', questions: { metric: 'relaxed-accuracy' } },
    measure: 'relaxedAccuracy',
    rows: (drawn) =>
      drawn.map((one) => {
        const { image, number } = one;
        if (number % 2 === 1) return shortRow(one, rightChoice, { split: 'test_augmented' });
        const asked = askCount(image);
        const row = { index: number, question: asked.question, answer: rightChoice(asked) };
        return { ...row, split: 'test_human', image_path: image.fileName };
      }),
  },
  {
    name: 'DocVQA_VAL',
    set: { benchmark: 'tsv', questions: { metric: 'anls' } },
    measure: 'anls',
    rows: (drawn) => drawn.map((one) => shortRow(one, ({ directAnswers }) => quoted([...new Set(directAnswers)]))),
  },
];
