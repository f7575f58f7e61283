/** Small files in the shape of the official ones. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

export type MmbenchRow = Record<string, string | number>;

const columns = [
  'index',
  'question',
  'hint',
  'A',
  'B',
  'C',
  'D',
  'answer',
  'category',
  'image',
  'source',
  'l2-category',
  'comment',
  'split',
];
const letters = ['A', 'B', 'C', 'D'];

/** A plain image as JPEG. */
export function plainImage(color: string): Promise<Buffer> {
  return sharp({ create: { width: 32, height: 24, channels: 3, background: color } })
    .jpeg()
    .toBuffer();
}

/** Questions with all their rotations, as the official file has them: the first row has the image, others refer to it. */
export async function mmbenchRows(): Promise<MmbenchRow[]> {
  const image = (await plainImage('red')).toString('base64');
  const other = (await plainImage('blue')).toString('base64');
  const originals = [
    question(0, 'What color is it?', ['red', 'green', 'blue', 'yellow'], 'A', image, 'attribute_recognition'),
    question(7, 'Is "it" red?\tOr not?', ['yes', 'no'], 'B', other, 'attribute_comparison', 'A hint\nof two lines'),
    question(12, 'Which one?', ['1', '2', '3'], 'C', '0', 'attribute_recognition'),
  ];
  return [...originals, ...originals.flatMap(rotations)];
}

function question(
  index: number,
  words: string,
  options: string[],
  answer: string,
  image: string,
  category: string,
  hint = '',
): MmbenchRow {
  const lettered = Object.fromEntries(letters.map((letter, place) => [letter, options[place] ?? '']));
  return {
    index,
    question: words,
    hint,
    ...lettered,
    answer,
    category,
    image,
    source: 'made',
    'l2-category': 'perception',
    comment: '',
    split: 'dev',
  };
}

function rotations(row: MmbenchRow): MmbenchRow[] {
  const used = letters.filter((letter) => row[letter] !== '');
  return used.slice(1).map((_, turn) => {
    const by = turn + 1;
    const turned = used.map(
      (letter, place) => [letter, row[used[(place + by) % used.length] as string] as string] as const,
    );
    const answer = used[(used.indexOf(row.answer as string) - by + used.length) % used.length] as string;
    return {
      ...row,
      ...Object.fromEntries(turned),
      answer,
      index: (row.index as number) + by * 1e6,
      image: String(row.index),
    };
  });
}

/** Writes a table as pandas does: tab-separated, a value with tab, quote or line break in quotes. */
export async function writeTable(
  file: string,
  rows: readonly MmbenchRow[],
  only: readonly string[] = columns,
): Promise<void> {
  const cell = (value: string | number = '') =>
    /[\t"\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
  const lines = [only.join('\t'), ...rows.map((row) => only.map((column) => cell(row[column])).join('\t'))];
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${lines.join('\n')}\n`);
}

export interface SeedBenchFile {
  questions: Record<string, unknown>[];
  question_type: Record<string, number>;
}

/** Questions about images of two dimensions, and one about a video. */
export function seedBenchFile(): SeedBenchFile {
  const image = (question_id: string, data_id: string, question_type_id: number, answer: string) => ({
    answer,
    choice_a: 'One',
    choice_b: 'Two',
    choice_c: 'Three',
    choice_d: 'Four or more of them',
    data_id,
    data_type: 'image',
    question: 'How many towels are in the image?',
    question_id,
    question_type_id,
  });
  return {
    questions: [
      image('101669', '1454426_2591111986', 5, 'A'),
      image('104933', '2_2', 3, 'C'),
      { ...image('v1962', 'P03/P03_24.MP4', 11, 'B'), data_type: 'video', segment: [648, 658] },
      image('101670', '1454426_2591111986', 5, 'D'),
      image('89257', '2_2', 3, 'B'),
    ],
    question_type: { 'Instance Attributes': 3, 'Instances Counting': 5, 'Action Prediction': 11 },
  };
}

/** Writes the file of SEED-Bench and its images, which have no file extension there either. */
export async function writeSeedBench(
  root: string,
  content = seedBenchFile(),
): Promise<{ file: string; images: string }> {
  const images = join(root, 'SEED-Bench-image');
  const file = join(root, 'SEED-Bench.json');
  await mkdir(images, { recursive: true });
  await writeFile(join(images, '1454426_2591111986'), await plainImage('green'));
  await writeFile(join(images, '2_2'), await plainImage('yellow'));
  await writeFile(file, JSON.stringify(content));
  return { file, images };
}
