/**
 * POPE (arXiv 2305.10355; https://github.com/RUCAIBox/POPE): whether an object is in the image, with the questions, the reading of
 * answers and the figures of its `evaluate.py`.
 */
import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { joinInside } from '../../core/inside.ts';
import { isFolder } from '../../datasets/tables/shards.ts';
import type { CombinedScore, MeasureMeans, QuestionScore } from './benchmark.ts';
import { imageAt, isTsv, readTsvFile, recordOfTsv, rows, yesOrNo } from './record-files.ts';
import {
  answerOf,
  type QuestionRecord,
  type RecordSource,
  type WrittenAnswer,
  writtenBenchmark,
  yesAndNo,
} from './written-benchmark.ts';

export const pope = writtenBenchmark({
  title: 'POPE',
  downloads: { POPE: 'Download output/coco of github.com/RUCAIBox/POPE into POPE, beside the images of COCO val2014' },
  ranks: true,
  maximumNewTokens: 128,
  contentFiles: popeFiles,
  words: ({ question }) => question,

  async *read(source) {
    if (!(await isFolder(source.file)) && (await isTsv(source.file))) return yield* readTsv(source);
    for (const file of await popeFiles(source.file)) yield* readOfficial(file, source);
  },

  // An entry for each category of the question: VLMEvalKit's file has a question of several once.
  score(answered) {
    const all = answered.flatMap((one) => {
      const categories = (one.question.facts?.categories ?? '').split(',');
      const { id } = one.question;
      const idIn = (category: string) => (categories.length === 1 ? id : `${category}/${id}`);
      return categories.map((category) => ({ ...judge(one), id: idIn(category), question: id, category }));
    });
    const entries = (some: typeof all, score: (one: (typeof all)[0]) => boolean): QuestionScore[] =>
      some.map(({ id, question, category, ...one }) => ({
        id,
        ...(question !== id && { question }),
        score: Number(score({ id, question, category, ...one })),
        ...(category !== '' && { groups: { category } }),
      }));
    return {
      accuracy: entries(all, ({ said, is }) => said === is),
      precision: entries(
        all.filter(({ said }) => said),
        ({ is }) => is,
      ),
      recall: entries(
        all.filter(({ is }) => is),
        ({ said }) => said,
      ),
      yesRatio: entries(all, ({ said }) => said),
    };
  },

  combine: (means) => ({ f1: harmonicMean(means) }),
});

/** What comes before the first period; any `no` or `not` in it makes it a no. */
function saysYes(answer: string): boolean {
  const [sentence = ''] = answer.split('.');
  const words = sentence.replaceAll(',', '').split(' ');
  return !['No', 'not', 'no'].some((word) => words.includes(word));
}

function judge(one: WrittenAnswer) {
  return { said: saysYes(answerOf(one)), is: one.question.correct === 0 };
}

/** F1 of precision and recall, overall and by category. */
function harmonicMean({ precision, recall }: MeasureMeans): CombinedScore {
  const f1 = (one = 0, other = 0) => (one + other === 0 ? 0 : (2 * one * other) / (one + other));
  const [precisions = {}, recalls = {}] = [precision?.groups.category, recall?.groups.category];
  const categories = [...new Set([...Object.keys(precisions), ...Object.keys(recalls)])].sort();
  const byCategory = categories.map((name) => [name, f1(precisions[name]?.value, recalls[name]?.value)]);
  return {
    value: f1(precision?.value, recall?.value),
    unit: 'share',
    ...(categories.length > 0 && { groups: { category: Object.fromEntries(byCategory) } }),
  };
}

const lineSchema = z.object({
  question_id: z.int().nonnegative(),
  image: z.string().min(1),
  text: z.string().min(1),
  label: yesOrNo,
});

/** One of the files, or all of a folder: a file for each of `random`, `popular` and `adversarial`. */
async function popeFiles(file: string): Promise<string[]> {
  if (!(await isFolder(file))) return [file];
  const names = (await readdir(file)).filter((name) => /_pope_.*\.jsonl?$/.test(name)).sort();
  return names.map((name) => joinInside(file, name));
}

async function* readOfficial(file: string, source: RecordSource): AsyncGenerator<QuestionRecord> {
  const category = /_(random|popular|adversarial)\.jsonl?$/.exec(basename(file))?.[1];
  for await (const { question_id: number, image, text, label } of rows(file, lineSchema)) {
    yield {
      id: category === undefined ? String(number) : `${category}/${number}`,
      images: await imageAt(source, { path: image }),
      question: text,
      choices: yesAndNo,
      correct: label === 'yes' ? 0 : 1,
      facts: { categories: category ?? '' },
    };
  }
}

async function* readTsv(source: RecordSource): AsyncGenerator<QuestionRecord> {
  for (const row of await readTsvFile(source)) {
    const { answers, groups, ...record } = recordOfTsv(row);
    const label = yesOrNo.safeParse(row.answer).data;
    const correct = label && { correct: label === 'yes' ? 0 : 1 };
    yield { ...record, choices: yesAndNo, ...correct, facts: { categories: groups?.category ?? '' } };
  }
}
