import { describe, expect, test } from 'vitest';
import { exchange, messages, read } from './read-conversations.ts';

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
