import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, test } from 'vitest';
import { type TrainRecord, trainingSample } from '../../src/datasets/train-dataset.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { exchange, messages, read, readPath } from './read-conversations.ts';

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

describe('reads conversations', () => {
  const words = (role: string, text: string) => ({ role, content: [{ text }] });
  const turnsIn = async (record: object) => {
    const { records } = await read([record]);
    const [first] = records;
    if (first === undefined || !('turns' in first)) throw new Error('is no conversation');
    return first.turns;
  };

  test("LLaVA's, with the image of the first turn", async () => {
    const { records } = await read([
      { id: 'c', image: 'a.jpg', conversations: [...exchange('<image>\nWhat?', 'A cat.'), ...exchange('Red?', 'No.')] },
    ]);
    expect(records).toEqual([
      {
        id: 'c',
        turns: [
          { role: 'user', content: [{ image: '/pictures/a.jpg' }, { text: 'What?' }] },
          words('assistant', 'A cat.'),
          words('user', 'Red?'),
          words('assistant', 'No.'),
        ],
      },
    ]);
  });

  test('with a system prompt, first or in a column of its own', async () => {
    const wanted = [words('system', 'Be brief.'), words('user', 'a'), words('assistant', 'b')];
    expect(await turnsIn({ messages: [{ role: 'system', content: 'Be brief.' }, ...messages('a', 'b')] })).toEqual(
      wanted,
    );
    expect(await turnsIn({ conversations: exchange('a', 'b'), system: ' Be brief.\n' })).toEqual(wanted);
    const { records } = await read([{ conversations: exchange('a', 'b'), system: '' }]);
    expect(records).toEqual([{ id: 'mine-1', image: undefined, question: 'a', answer: 'b' }]);
  });

  test.each([
    ["OpenAI's weight", { weight: 0 }, { weight: 1 }],
    ["ms-swift's loss", { loss: false }, { loss: true }],
  ])('with turns that are left out of the loss, by %s', async (_, out, learned) => {
    const [user, assistant] = messages('a', 'b') as [object, object];
    const list = [user, { ...assistant, ...out }, user, { ...assistant, ...learned }];
    expect(await turnsIn({ messages: list })).toEqual([
      words('user', 'a'),
      { ...words('assistant', 'b'), learned: false },
      words('user', 'a'),
      words('assistant', 'b'),
    ]);
  });

  test('with several images, each where its mark stands', async () => {
    const images = ['a.jpg', 'b.jpg', 'c.jpg'];
    const list = [...exchange('One: <image> two: <image>\nWhich?', 'One.'), ...exchange('<image>\nAnd here?', 'None.')];
    expect(await turnsIn({ images, conversations: list })).toEqual([
      {
        role: 'user',
        content: [
          { text: 'One: ' },
          { image: '/pictures/a.jpg' },
          { text: ' two: ' },
          { image: '/pictures/b.jpg' },
          { text: '\nWhich?' },
        ],
      },
      words('assistant', 'One.'),
      { role: 'user', content: [{ image: '/pictures/c.jpg' }, { text: 'And here?' }] },
      words('assistant', 'None.'),
    ]);
  });

  test('with several images as parts of a turn', async () => {
    const image = (url: string) => ({ type: 'image_url', image_url: { url } });
    const content = [
      image('a.jpg'),
      image('b.jpg'),
      { type: 'text', text: 'Which' },
      { type: 'text', text: 'is red?' },
    ];
    const [first] = await turnsIn({ messages: messages(content, 'One.') });
    expect(first?.content).toEqual([
      { image: '/pictures/a.jpg' },
      { image: '/pictures/b.jpg' },
      { text: 'Which\nis red?' },
    ]);
  });
});

const valid = { id: 'ok', image: 'a.jpg', conversations: exchange('<image>\nWhat?', 'A cat.') };

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
