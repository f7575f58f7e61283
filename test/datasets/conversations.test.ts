import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, test } from 'vitest';
import { conversations } from '../../src/datasets/conversations.ts';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import { type TrainFileSettings, type TrainRecord, trainingSample } from '../../src/datasets/train-dataset.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function read(content: string | object[], settings: TrainFileSettings = {}) {
  const folder = await temporaryFolder();
  const path = join(folder, 'file');
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return readPath(path, settings);
}

async function readPath(path: string, settings: TrainFileSettings = {}) {
  const extractedImages = join(await temporaryFolder(), 'extracted');
  const records: TrainRecord[] = [];
  const leftOut: string[] = [];
  const source = { name: 'mine', path, images: imageFolder('/pictures'), extractedImages, settings };
  for await (const record of conversations.read(source, (reason) => leftOut.push(reason))) records.push(record);
  return { records, leftOut, extractedImages };
}

const exchange = (question: string, answer: string) => [
  { from: 'human', value: question },
  { from: 'gpt', value: answer },
];
const messages = (question: unknown, answer: unknown) => [
  { role: 'user', content: question },
  { role: 'assistant', content: answer },
];

describe('reads', () => {
  test("LLaVA's JSON, its image mark before or after the question", async () => {
    const { records } = await read([
      { id: 'a-1', image: 'coco/a.jpg', conversations: exchange('<image>\nWhat is it?', 'A cat.') },
      { image: 'ü/b.png', conversations: exchange('And this?\n<image>', ' A dog.\n') },
    ]);
    expect(records).toEqual([
      { id: 'a-1', image: '/pictures/coco/a.jpg', question: 'What is it?', answer: 'A cat.' },
      { id: 'mine-2', image: '/pictures/ü/b.png', question: 'And this?', answer: 'A dog.' },
    ]);
  });

  test('ShareGPT, with a list of images', async () => {
    const { records } = await read([
      { conversations: exchange('<image>What?', 'A cup.'), images: ['a.jpg'] },
      { conversations: exchange('Two and two?', 'Four.'), images: [] },
    ]);
    expect(records).toEqual([
      { id: 'mine-1', image: '/pictures/a.jpg', question: 'What?', answer: 'A cup.' },
      { id: 'mine-2', image: undefined, question: 'Two and two?', answer: 'Four.' },
    ]);
  });

  test("OpenAI's messages, images by path, by file address and inside", async () => {
    const image = (url: string) => ({ type: 'image_url', image_url: { url } });
    const lines = [
      messages([image('a.jpg'), { type: 'text', text: 'What?' }], 'A cup.'),
      messages([{ type: 'text', text: 'What?' }, image('file:sub/b.jpg')], [{ type: 'text', text: 'A hat.' }]),
      messages(
        [image(`data:image/png;base64,${Buffer.from('bytes').toString('base64')}`), { type: 'text', text: 'This?' }],
        'A bus.',
      ),
      messages('No image?', 'None.'),
    ].map((list) => JSON.stringify({ messages: list }));
    const { records, extractedImages } = await read(lines.join('\n'));
    const [kept] = await readdir(extractedImages);
    expect(records.map(({ image }) => image)).toEqual([
      '/pictures/a.jpg',
      '/pictures/sub/b.jpg',
      join(extractedImages, kept as string),
      undefined,
    ]);
    expect(records.map((record) => 'answer' in record && record.answer)).toEqual([
      'A cup.',
      'A hat.',
      'A bus.',
      'None.',
    ]);
  });

  test('Parquet, as `datasets` writes messages and images', async () => {
    const path = join(await temporaryFolder(), 'train.parquet');
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    await connection.run(
      `COPY (SELECT [{'role': 'user', 'content': '<image>What?'}, {'role': 'assistant', 'content': 'A cat.'}] AS messages,
         [{'bytes': 'pixels'::BLOB, 'path': NULL}] AS images) TO '${path}' (FORMAT parquet)`,
    );
    connection.closeSync();
    instance.closeSync();
    const { records, extractedImages } = await readPath(path);
    const [kept] = await readdir(extractedImages);
    expect(records).toEqual([
      { id: 'mine-1', image: join(extractedImages, kept as string), question: 'What?', answer: 'A cat.' },
    ]);
  });
});

const valid = { id: 'ok', image: 'a.jpg', conversations: exchange('<image>\nWhat?', 'A cat.') };
const refused: [string, object, string][] = [
  ['no turns', { conversations: [] }, 'conversations: does not start with a turn of the user and one of the assistant'],
  ['a field that is missing', { text: 'What?' }, 'conversations: '],
  [
    'an unknown role',
    { conversations: [{ from: 'bot', value: 'Hi' }] },
    "conversations[0].from: 'bot' is none of system, human",
  ],
  [
    'an answer first',
    { conversations: exchange('a', 'b').reverse() },
    'conversations: does not start with a turn of the user',
  ],
  [
    'a system prompt',
    { messages: [{ role: 'system', content: 'x' }] },
    'messages[0]: a system prompt is not supported',
  ],
  [
    'two exchanges',
    { conversations: [...exchange('a', 'b'), ...exchange('c', 'd')] },
    'conversations[2]: a second exchange',
  ],
  [
    'two images',
    { conversations: exchange('a', 'b'), images: ['a.jpg', 'b.jpg'] },
    'images: several images are not supported',
  ],
  [
    'a mark without image',
    { conversations: exchange('<image>a', 'b') },
    'conversations[0]: has <image> 1 times, but no image',
  ],
  [
    'a mark too many',
    { image: 'a', conversations: exchange('<image><image>a', 'b') },
    'has <image> 2 times, but one image',
  ],
  ['an image outside', { image: '../a.jpg', conversations: exchange('a', 'b') }, 'image: leads out of its folder'],
  ['an image on the web', { image: 'https://a/b.jpg', conversations: exchange('a', 'b') }, 'image: is a https address'],
  [
    'an image on the web in a part',
    { messages: messages([{ type: 'image_url', image_url: { url: 'http://a/b.jpg' } }], 'b') },
    'messages[0].content[0]: is a http address',
  ],
  [
    'a file outside in a part',
    { messages: messages([{ type: 'image', image: 'file:///etc/passwd' }], 'b') },
    'messages[0].content[0]: leads out of its folder',
  ],
  ['a video', { video: 'a.mp4', conversations: exchange('a', 'b') }, 'video: video is not supported'],
  ['videos', { videos: ['a.mp4'], conversations: exchange('a', 'b') }, 'videos: video is not supported'],
  ['a video mark', { conversations: exchange('<video>a', 'b') }, 'conversations[0]: video is not supported'],
  [
    'audio in a part',
    { messages: messages([{ type: 'input_audio' }], 'b') },
    'messages[0].content[0]: a part input_audio is not',
  ],
  ['a tool call', { messages: [{ role: 'tool', content: 'x' }] }, "messages[0].role: 'tool' is none of"],
  ['no words', { image: 'a.jpg', conversations: exchange('<image>', 'b') }, 'conversations[0]: has no words'],
  ['no answer', { conversations: exchange('a', ' ') }, 'conversations[1]: has no words'],
];

describe('refuses', () => {
  test.each(refused)('%s, by record and field', async (_, record, problem) => {
    const error = { name: 'InputError', message: expect.stringContaining(problem) };
    await expect(read([valid, record])).rejects.toMatchObject(error);
    await expect(read([valid, record])).rejects.toMatchObject({ field: expect.stringMatching(/^\[1\]\./) });
  });

  test.each(refused)('%s, or leaves it out and counts it', async (_, record) => {
    const { records, leftOut } = await read([valid, record, { ...valid, id: 'too' }], { skipInvalid: true });
    expect(records.map(({ id }) => id)).toEqual(['ok', 'too']);
    expect(leftOut).toHaveLength(1);
  });

  test('a file of which nothing is left', async () => {
    await expect(read([{ conversations: [] }], { skipInvalid: true })).rejects.toMatchObject({
      problem: 'has no conversation to train on',
    });
  });
});

test('records that are left out for the same reason are counted together', async () => {
  const image = (path: string) => ({ image: path, conversations: exchange('<image>a <image>', 'b') });
  const { leftOut } = await read([valid, image('a.jpg'), image('b.jpg')], { skipInvalid: true });
  expect(new Set(leftOut)).toEqual(new Set(['<image> without its image']));
});

test('a question and its answer are learned as they are', async () => {
  const { records } = await read([valid]);
  expect(trainingSample(records[0] as TrainRecord, { source: 'mine', format: 'QMAE' })).toEqual({
    id: 'ok',
    source: 'mine',
    image: '/pictures/a.jpg',
    prompt: 'What?\n',
    answer: 'A cat.',
  });
});
