/** What `npm run fuzz` feeds: the readers of training data, questions and judged answers of one's own, in each format that they take. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { DuckDBInstance } from '@duckdb/node-api';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import { readOwnQuestions } from '../../src/datasets/own-questions.ts';
import type { TableFormat } from '../../src/datasets/tables/index.ts';
import { sqlText } from '../../src/datasets/tables/parquet.ts';
import { trainDatasets } from '../../src/datasets/train-datasets.ts';
import { readJudgedScore } from '../../src/evaluation/judge/judge-requests.ts';
import { readLabelledAnswers } from '../../src/evaluation/judge/labelled-answers.ts';
import { readWrittenAnswer } from '../../src/generation/verification.ts';
import { type FuzzedParser, ofFile, parserTarget } from './parsers.ts';

const pixels = () =>
  sharp({ create: { width: 4, height: 4, channels: 3, background: '#826' } })
    .png()
    .toBuffer();
const data = async () => `data:image/png;base64,${(await pixels()).toString('base64')}`;

const messages = async () => [
  {
    id: 'a',
    messages: [
      { role: 'user', content: '<image>What is it?' },
      { role: 'assistant', content: 'A cat.' },
    ],
    images: ['a/b.jpg'],
  },
  {
    messages: [
      {
        role: 'user',
        content: [
          { type: 'image_url', image_url: { url: await data() } },
          { type: 'text', text: 'Which?' },
        ],
      },
      { role: 'assistant', content: [{ type: 'text', text: 'Red.' }] },
    ],
  },
];
const shared = [
  {
    id: '1',
    image: 'a.jpg',
    conversations: [
      { from: 'human', value: '<image>\nWhat?' },
      { from: 'gpt', value: 'A dog.' },
    ],
  },
];
const questions = [
  { id: 'q1', image: 'a.jpg', question: 'Which?', choices: ['red', 'blue'], correct_choice_idx: 1, rationales: ['so'] },
  { id: 'q2', image: 'ü/b.png', question: 'How many?', answers: ['2', 'two'], question_type: 'count' },
];
const table = (separator: string) =>
  [
    ['id', 'image', 'question', 'A', 'B', 'answer'],
    ['q1', 'a.jpg', '"Which, ""really""?"', 'red', 'blue', 'B'],
    ['q2', 'b.jpg', 'How many?', '', '', '"[""2"", ""two""]"'],
  ]
    .map((row) => row.join(separator))
    .join('\n');

async function parquet(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'fuzz-'));
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const file = join(folder, 'x.parquet');
    await connection.run(`COPY (
      SELECT 'q' || i AS id, {'bytes': 'x'::BLOB, 'path': 'a.jpg'} AS image, 'Which of ' || i || '?' AS question,
        ['red', 'blue', 'n' || i] AS choices, i % 3 AS correct_choice_idx FROM range(50) AS t(i)
    ) TO ${sqlText(file)} (FORMAT parquet)`);
    return await readFile(file);
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(folder, { recursive: true });
  }
}

async function archive(): Promise<Buffer> {
  const tar = pack();
  for (const [index, question] of questions.entries()) {
    tar.entry({ name: `a/${index}.png` }, await pixels());
    const { image: _, ...fields } = question;
    tar.entry({ name: `a/${index}.json` }, JSON.stringify(fields));
  }
  tar.finalize();
  return buffer(tar);
}

const lines = (records: readonly object[]) =>
  Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''));

/** All of it, in the format that the file is said to have, and in the one that its content seems to have. */
const askedAs = (format: TableFormat) =>
  ofFile(async (file) => {
    await readOwnQuestions({ file, format });
    await readOwnQuestions({ file, skipInvalid: true });
  });

const conversations = (format: TableFormat) =>
  ofFile(async (path) => {
    const folder = dirname(path);
    const extractedImages = join(folder, 'images');
    const source = { name: 'x', path, images: imageFolder(folder), extractedImages };
    for (const skipInvalid of [true, false]) {
      const settings = { format, skipInvalid };
      for await (const _ of trainDatasets.conversations.read({ ...source, settings }));
    }
  });

const readers: FuzzedParser[] = [
  {
    name: 'messages',
    file: 'messages.jsonl',
    sample: async () => lines(await messages()),
    parse: conversations('jsonl'),
  },
  {
    name: 'sharegpt',
    file: 'sharegpt.json',
    sample: async () => Buffer.from(JSON.stringify(shared)),
    parse: conversations('json'),
  },
  {
    name: 'questions-json',
    file: 'questions.json',
    sample: async () => Buffer.from(JSON.stringify(questions)),
    parse: askedAs('json'),
  },
  { name: 'questions-jsonl', file: 'questions.jsonl', sample: async () => lines(questions), parse: askedAs('jsonl') },
  { name: 'questions-csv', file: 'questions.csv', sample: async () => Buffer.from(table(',')), parse: askedAs('csv') },
  { name: 'questions-tsv', file: 'questions.tsv', sample: async () => Buffer.from(table('\t')), parse: askedAs('tsv') },
  { name: 'questions-parquet', file: 'questions.parquet', sample: parquet, parse: askedAs('parquet') },
  {
    name: 'judged-score',
    file: 'answer.txt',
    sample: async () => Buffer.from('It names the same cup.\nScore: 3'),
    parse: async (_, bytes) => {
      const score = readJudgedScore(bytes.toString());
      if (score !== undefined && !(score >= 0 && score <= 1)) throw new Error(`a score of ${score}`);
    },
  },
  {
    name: 'written-answer',
    file: 'answer.txt',
    sample: async () => Buffer.from('One sees it.\nAnswer: a red cup'),
    parse: async (_, bytes) => readWrittenAnswer(bytes.toString()),
  },
  {
    name: 'labelled-answers',
    file: 'labelled.jsonl',
    sample: async () =>
      lines([
        { question: 'What?', references: ['a cup', 'cup'], answer: 'A mug', right: true },
        { question: 'How many?', references: 3, answer: '4', right: 'no' },
      ]),
    parse: ofFile(readLabelledAnswers),
  },
  { name: 'questions-webdataset', file: 'questions.tar', sample: archive, parse: askedAs('webdataset') },
];

export const tableTargets = readers.map(parserTarget);
