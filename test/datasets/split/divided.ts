/** A folder of images, questions about them in every format, and their division. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { DuckDBInstance } from '@duckdb/node-api';
import { pack } from 'tar-stream';
import { readOwnQuestions } from '../../../src/datasets/own-questions.ts';
import { type Split, type SplitInput, splitQuestions } from '../../../src/datasets/split/split-questions.ts';
import type { TableFormat } from '../../../src/datasets/tables/index.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { copies, randomImage } from './images.ts';

export const IMAGES = 40;
export const copiesOfFirst = Object.keys(copies);
export const pixels = new Map<string, Buffer>();

export async function makeImages(): Promise<void> {
  for (let index = 0; index < IMAGES; index += 1)
    pixels.set(`line ${index % 3}/Bild ${index}ß.png`, await randomImage(index));
  const first = pixels.get('line 0/Bild 0ß.png') as Buffer;
  for (const [index, name] of copiesOfFirst.entries()) {
    pixels.set(`copies/${index}.png`, await (copies[name] as (typeof copies)[string])(first));
  }
  pixels.set('copies/the same.png', first);
}

export const types = ['color', 'counting', 'place'];

/** Three questions about each image, with choices and with answers, and a column of somebody's own. */
export function questionsAbout(images: Iterable<string>) {
  return [...images].flatMap((image, number) =>
    types.map((type, index) => ({
      id: `${number}-${index}`,
      image,
      question: `What, "exactly", is the ${type}\nof it?`,
      ...(index === 0 ? { choices: ['red', 'blue'], answer: 'B' } : { answer: String(number) }),
      question_type: type,
      note: `own ${number}, ${index}`,
    })),
  );
}

export type Question = ReturnType<typeof questionsAbout>[number];

export async function imagesIn(folder: string): Promise<string> {
  for (const [path, content] of pixels) {
    const file = join(folder, path);
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, content);
  }
  return folder;
}

const separated = (delimiter: string) => (questions: readonly Question[]) => {
  const names = ['id', 'image', 'question', 'choices', 'answer', 'question_type', 'note'] as const;
  const cell = (value: unknown) =>
    `"${(typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)).replaceAll('"', '""')}"`;
  const row = (question: Question) =>
    names.map((name) => cell((question as Record<string, unknown>)[name])).join(delimiter);
  return [names.join(delimiter), ...questions.map(row)].join('\r\n');
};

export const writers: Record<TableFormat, (file: string, questions: readonly Question[]) => Promise<void>> = {
  json: (file, questions) => writeFile(file, JSON.stringify(questions)),
  jsonl: (file, questions) => writeFile(file, questions.map((one) => `${JSON.stringify(one)}\n\n`).join('')),
  csv: (file, questions) => writeFile(file, `\ufeff${separated(',')(questions)}`),
  tsv: (file, questions) => writeFile(file, separated('\t')(questions)),
  async parquet(file, questions) {
    const lines = `${file}.jsonl`;
    await writeFile(lines, questions.map((one) => JSON.stringify(one)).join('\n'));
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    await connection.run(
      `COPY (SELECT * FROM '${lines}') TO '${file}' (FORMAT parquet, KV_METADATA {huggingface: '{"info":"types"}'})`,
    );
    connection.closeSync();
  },
  async webdataset(file, questions) {
    const archive = pack();
    for (const { image, ...rest } of questions) {
      archive.entry({ name: `shard/${rest.id}.png` }, pixels.get(image) as Buffer);
      archive.entry({ name: `shard/${rest.id}.json` }, JSON.stringify(rest));
      archive.entry({ name: `shard/${rest.id}.npy` }, 'other content');
    }
    archive.finalize();
    await writeFile(file, await buffer(archive));
  },
};

export async function split(questions: readonly Question[], format: TableFormat, changes: Partial<SplitInput> = {}) {
  const folder = await temporaryFolder();
  const file = join(folder, 'questions');
  await writers[format](file, questions);
  const images = await imagesIn(join(folder, 'images'));
  const output = join(folder, 'out');
  const result = await splitQuestions({ file, images, output, validation: 0.2, test: 0.1, seed: 1, ...changes });
  const read = async (side: 'train' | 'validation' | 'test') =>
    readOwnQuestions({ file: join(output, result.sides[side]?.file as string) });
  return { folder, file, images, output, result, read };
}

/** Question → its side. */
export async function sidesOf({ result, read }: { result: Split; read: Awaited<ReturnType<typeof split>>['read'] }) {
  const found: Record<string, string> = {};
  for (const side of Object.keys(result.sides) as ('train' | 'validation' | 'test')[]) {
    for (const { id } of await read(side)) found[id] = side;
  }
  return found;
}
