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
    'a system prompt alone',
    { messages: [{ role: 'system', content: 'x' }] },
    'messages: does not start with a turn of the user',
  ],
  [
    'a system prompt behind the first turn',
    { conversations: [...exchange('a', 'b'), { from: 'system', value: 'x' }] },
    'conversations[2]: is a system prompt behind the first turn',
  ],
  [
    'two system prompts',
    { system: 'y', messages: [{ role: 'system', content: 'x' }, ...messages('a', 'b')] },
    'messages[0]: is a second system prompt',
  ],
  [
    'an empty system prompt',
    { messages: [{ role: 'system', content: ' ' }, ...messages('a', 'b')] },
    'messages[0]: has no words',
  ],
  [
    'an image in a system prompt',
    { messages: [{ role: 'system', content: [{ type: 'image', image: 'a.jpg' }] }, ...messages('a', 'b')] },
    'messages[0]: an image in a system prompt is not supported',
  ],
  [
    'two questions in a row',
    { conversations: [...exchange('a', 'b'), { from: 'human', value: 'c' }, ...exchange('c', 'd')] },
    'conversations[3]: is another turn of the user',
  ],
  [
    'two answers in a row',
    { conversations: [...exchange('a', 'b'), { from: 'gpt', value: 'c' }] },
    'conversations[2]: is another turn of the assistant',
  ],
  [
    'a question at the end',
    { conversations: [...exchange('a', 'b'), { from: 'human', value: 'c' }] },
    'conversations[2]: is a question that no answer follows',
  ],
  [
    'an empty answer in between',
    { messages: [...messages('a', ''), ...messages('c', 'd')] },
    'messages[1]: has no words',
  ],
  [
    'nothing to learn',
    {
      messages: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b', weight: 0 },
      ],
    },
    'messages: leaves every answer out of the loss',
  ],
  [
    'half a weight',
    {
      messages: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b', weight: 0.5 },
      ],
    },
    'messages[1].weight: must be 0',
  ],
  [
    'a weight and a loss that differ',
    {
      messages: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b', weight: 1, loss: false },
      ],
    },
    'messages[1]: has a weight and a loss',
  ],
  [
    'a question to learn',
    {
      messages: [
        { role: 'user', content: 'a', weight: 1 },
        { role: 'assistant', content: 'b' },
      ],
    },
    "messages[0]: is a turn of the user: only the assistant's",
  ],
  [
    "axolotl's mark",
    {
      messages: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b', train: false },
      ],
    },
    'messages[1].train: is not supported: weight (0 or 1) or loss',
  ],
  [
    'a call of a tool in a turn',
    { messages: [...messages('a', 'b'), ...messages('c', 'd').map((one) => ({ ...one, tool_calls: [{ id: '1' }] }))] },
    'messages[2].tool_calls: is not supported: tools are not',
  ],
  ['tools', { messages: messages('a', 'b'), tools: [{ type: 'function' }] }, 'tools: tools are not supported'],
  ['a preference', { messages: messages('a', 'b'), rejected: 'c' }, 'rejected: preferences are not supported'],
  [
    'two images without marks',
    { conversations: exchange('a', 'b'), images: ['a.jpg', 'b.jpg'] },
    'images: are 2, but conversations has <image> 0 times',
  ],
  [
    'more images than marks',
    { conversations: exchange('<image>a', 'b'), images: ['a.jpg', 'b.jpg'] },
    'images: are 2, but conversations has <image> 1 times',
  ],
  [
    'more marks than images, in a later turn',
    { image: 'a.jpg', conversations: [...exchange('<image>a', 'b'), ...exchange('<image>c', 'd')] },
    'conversations[2]: has <image> 2 times, but one image',
  ],
  [
    'images beside and within the turns',
    {
      images: ['a.jpg'],
      messages: messages(
        [
          { type: 'image', image: 'b.jpg' },
          { type: 'text', text: 'a' },
        ],
        'b',
      ),
    },
    'messages: has images in its turns, and others',
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
