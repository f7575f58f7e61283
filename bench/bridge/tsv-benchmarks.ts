/** VLMEvalKit's data sets of the bridge: made TSVs under its names, and how this program reads the same files. */
import type { EvaluationSet } from '../../src/round/evaluation-sets.ts';
import {
  askCount,
  askExists,
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
  /** Where VLMEvalKit reads answers by another rule than ours: how. */
  differs?: string;
  rows(drawn: readonly Drawn[]): TsvRow[];
}

const quoted = (answers: readonly string[]) => `[${answers.map((answer) => `'${answer}'`).join(', ')}]`;

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
  { name: 'MMStar', set: { benchmark: 'tsv' }, measure: 'multipleChoice', rows: optionRows },
  { name: 'AI2D_TEST', set: { benchmark: 'tsv' }, measure: 'multipleChoice', rows: optionRows },
  { name: 'ScienceQA_TEST', set: { benchmark: 'tsv' }, measure: 'multipleChoice', rows: optionRows },
  {
    name: 'POPE',
    set: { benchmark: 'pope' },
    measure: 'accuracy',
    differs: 'VLMEvalKit looks for the words yes and no; the authors of POPE take any answer without no or not for yes',
    rows: (drawn) =>
      drawn.map(({ image, random, number }) => {
        const isThere = number % 2 === 0;
        return yesNoRow(number, image, askExists(image, isThere, random), isThere, 'random');
      }),
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
