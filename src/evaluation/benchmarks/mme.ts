/**
 * MME (arXiv 2306.13394): two questions about an image, one of them to be answered by yes. Accuracy counts questions, `accuracy+`
 * images with both answers right; a category has the sum of both in percent, of which perception and cognition are the sums.
 */
import { readdir } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../core/input-error.ts';
import { joinInside } from '../../core/inside.ts';
import { readTextFile } from '../../core/read-json.ts';
import { isFolder } from '../../datasets/tables/shards.ts';
import { strip } from '../python-text.ts';
import type { CombinedScore, MeasureMeans } from './benchmark.ts';
import { idText, imageAt, imageCell, isTsv, readTsvFile, rows, yesOrNo } from './record-files.ts';
import {
  answerOf,
  type QuestionRecord,
  type RecordSource,
  scoreEach,
  scoreTogether,
  writtenBenchmark,
  yesAndNo,
} from './written-benchmark.ts';

const categoriesOf = {
  perception: [
    'existence',
    'count',
    'position',
    'color',
    'posters',
    'celebrity',
    'scene',
    'landmark',
    'artwork',
    'OCR',
  ],
  cognition: ['commonsense_reasoning', 'numerical_calculation', 'text_translation', 'code_reasoning'],
};

export const mme = writtenBenchmark({
  title: 'MME',
  downloads: {
    MME: 'Ask for MME as github.com/BradyFU/Awesome-Multimodal-Large-Language-Models says, and put it into MME',
  },
  ranks: true,
  maximumNewTokens: 16,
  async contentFiles(file) {
    if (!(await isFolder(file)) || (await hasShards(file))) return [file];
    return (await officialFiles(file)).map(({ path }) => path);
  },
  words: ({ question }) => question,

  async *read(source) {
    if (await isTsv(source.file)) return yield* readTsv(source);
    if (!(await isFolder(source.file)) || (await hasShards(source.file))) return yield* readParquet(source);
    yield* readOfficial(source);
  },

  score(answered) {
    const isRight = (correct: number | undefined, answer: string) => readMmeAnswer(answer) === yesAndNo[correct ?? 0];
    const pairs = answered.map((one) => ({
      key: one.question.facts?.pair as string,
      right: isRight(one.question.correct, answerOf(one)),
      groups: one.question.groups,
    }));
    return {
      accuracy: scoreEach(answered, ({ correct }, answer) => isRight(correct, answer)),
      'accuracy+': scoreTogether(pairs),
    };
  },

  combine(means) {
    const points = categoryPoints(means);
    return Object.fromEntries(
      Object.entries(categoriesOf).flatMap(([ability, categories]): [string, CombinedScore][] => {
        const known = categories.filter((category) => category in points);
        const byCategory = Object.fromEntries(known.map((category) => [category, points[category] as number]));
        const value = Object.values(byCategory).reduce((sum, one) => sum + one, 0);
        return known.length === 0 ? [] : [[ability, { value, unit: 'points', groups: { category: byCategory } }]];
      }),
    );
  },
});

function categoryPoints({ accuracy, 'accuracy+': plus }: MeasureMeans): Record<string, number> {
  const both = Object.entries(accuracy?.groups.category ?? {});
  return Object.fromEntries(
    both.map(([category, { value }]) => [category, 100 * (value + (plus?.groups.category?.[category]?.value ?? 0))]),
  );
}

/** `Yes` or `No` where the answer is that word or its letter, or has it among the first four characters. */
export function readMmeAnswer(answer: string): 'Yes' | 'No' | undefined {
  const given = strip(answer.toLowerCase()).replaceAll('.', '');
  if (given === 'y') return 'Yes';
  if (given === 'n') return 'No';
  const start = [...given].slice(0, 4).join('');
  if (start.includes('yes')) return 'Yes';
  return start.includes('no') ? 'No' : undefined;
}

interface Found extends Pick<QuestionRecord, 'id' | 'images' | 'question'> {
  category: string;
  /** What both questions about an image share. */
  pair: string;
  answer: 'yes' | 'no' | undefined;
}

/** @throws InputError where an image has one question, or more than two */
function* paired(file: string, found: readonly Found[], limit: number | undefined): Generator<QuestionRecord> {
  const taken = found.slice(0, limit);
  const counts = new Map<string, number>();
  for (const { pair } of taken) counts.set(pair, (counts.get(pair) ?? 0) + 1);
  const alone = taken.find(({ pair }) => counts.get(pair) !== 2);
  if (alone !== undefined) {
    const problem = `${alone.pair} has ${counts.get(alone.pair)} of two questions (record ${alone.id})`;
    throw new InputError({ file, field: 'question', problem, remedy: 'Download it again, or set an even limit' });
  }
  for (const { category, pair, answer, ...record } of taken) {
    const correct = answer && { correct: answer === 'yes' ? 0 : 1 };
    yield { ...record, choices: yesAndNo, ...correct, groups: { category }, facts: { pair } };
  }
}

async function* readTsv(source: RecordSource): AsyncGenerator<QuestionRecord> {
  const found = (await readTsvFile(source)).map(({ index, question, images, answer, groups, cells }): Found => {
    const { category = '' } = groups;
    const label = yesOrNo.safeParse(answer).data;
    return {
      id: index,
      images,
      question,
      category,
      pair: `${category}/${cells.image_path || images.join()}`,
      answer: label,
    };
  });
  yield* paired(source.file, found, source.limit);
}

const rowSchema = z.object({
  question_id: idText,
  image: imageCell,
  question: z.string().min(1),
  answer: yesOrNo,
  category: z.string().min(1),
});

/** The two rows of an image have the same `question_id`, such as `count/000000006040.jpg`. */
async function* readParquet(source: RecordSource): AsyncGenerator<QuestionRecord> {
  const found: Found[] = [];
  const seen = new Map<string, number>();
  for await (const { question_id: name, image, question, answer, category } of rows(source.file, rowSchema)) {
    if (found.length === source.limit) break;
    const number = (seen.get(name) ?? 0) + 1;
    seen.set(name, number);
    const images = await imageAt(source, image);
    found.push({
      id: `${category}/${name}#${number}`,
      images,
      question,
      category,
      pair: `${category}/${name}`,
      answer,
    });
  }
  yield* paired(source.file, found, source.limit);
}

async function hasShards(folder: string): Promise<boolean> {
  return (await readdir(folder, { recursive: true })).some((name) => name.endsWith('.parquet'));
}

interface QuestionFile {
  path: string;
  category: string;
}

/** A folder for each category, in which each image has a text file of the same name, beside it or in a folder of its own. */
async function officialFiles(folder: string): Promise<QuestionFile[]> {
  const names = await readdir(folder, { recursive: true });
  const files = names.filter((name) => name.endsWith('.txt') && /[/\\]/.test(name)).sort();
  return files.map((name) => ({ path: joinInside(folder, name), category: name.split(/[/\\]/)[0] as string }));
}

async function* readOfficial(source: RecordSource): AsyncGenerator<QuestionRecord> {
  const { file: folder } = source;
  const found: Found[] = [];
  for (const { path, category } of await officialFiles(folder)) {
    if (found.length === source.limit) break;
    const name = basename(path, '.txt');
    const image = await imageBeside(folder, category, name, path);
    const lines = (await readTextFile(path)).split(/\r?\n/).filter((line) => line.trim() !== '');
    for (const [index, line] of lines.entries()) {
      const [question = '', label] = line.split('\t');
      const answer = yesOrNo.safeParse(label).data;
      if (answer === undefined || question === '') {
        const problem = 'must be a question, a tab, and Yes or No';
        throw new InputError({ file: path, line: index + 1, problem, remedy: 'Download it again' });
      }
      found.push({
        id: `${category}/${name}#${index + 1}`,
        images: [image],
        question,
        category,
        pair: `${category}/${name}`,
        answer,
      });
    }
  }
  yield* paired(folder, found, source.limit);
}

async function imageBeside(folder: string, category: string, name: string, file: string): Promise<string> {
  for (const below of [`${category}/images`, category]) {
    const names = await readdir(joinInside(folder, below)).catch(() => []);
    const image = names.find((one) => extname(one) !== '.txt' && basename(one, extname(one)) === name);
    if (image !== undefined) return joinInside(folder, `${below}/${image}`);
  }
  const remedy = `Put ${name}.jpg or ${name}.png into ${category}/images`;
  throw new InputError({ file, problem: 'is about an image that is not there', remedy });
}
