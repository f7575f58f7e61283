/**
 * The local teacher with an image: it answers from the pixels alone, over HTTP, as a client of OpenAI's sends them.
 */
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { lookAt } from '../../../demo/local-teacher/eyes/look.ts';
import { renderScene } from '../../../demo/scenes/render.ts';
import { randomScene, type Scene } from '../../../demo/scenes/scene.ts';
import { sceneFromAnnotations } from '../../../demo/scenes/scene-from-annotations.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { isRejection } from '../../../src/generation/filters.ts';
import { parseAnswer } from '../../../src/generation/parse-answer.ts';
import { parseShortAnswer } from '../../../src/generation/parse-short-answer.ts';
import { fillTemplate, readPromptTemplate } from '../../../src/teacher/prompt-template.ts';
import { withoutMetadata } from './encoded-anew.ts';
import { runningTeacher } from './running-teacher.ts';

const scene: Scene = { ...randomScene(seededRandom(3)), quality: 'sharp' };
const first = scene.objects[0] as Scene['objects'][number];
const url = (bytes: Buffer, kind = 'jpeg') => `data:image/${kind};base64,${bytes.toString('base64')}`;
const image = await renderScene(scene);
// What images are compared with is drawn for the first one, which takes a while.
await lookAt(url(image));

async function ask(prompt: string, values: Record<string, string>, address: string): Promise<string> {
  const placeholders = Object.keys(values);
  const template = await readPromptTemplate(`configs/prompts/${prompt}.md`, placeholders);
  const { client } = await runningTeacher();
  const messages = fillTemplate(template, values).map(({ role, content }) => ({ role, content })) as never[];
  const [system, user] = messages as unknown as [object, { content: string }];
  const content = [
    { type: 'text', text: user.content },
    { type: 'image_url', image_url: { url: address, detail: 'low' } },
  ];
  const answer = await client.chat.completions.create(
    {
      model: 'local-teacher',
      max_tokens: 1000,
      messages: [system, { role: 'user', content }] as never,
    },
    { timeout: 60_000 },
  );
  return answer.choices[0]?.message.content ?? '';
}

const colorQuestion = {
  type_title: 'attribute recognition',
  type_explanation: 'Recognize an attribute of one thing.',
  examples: '(none this time)',
};

describe('a request for a question', () => {
  test('is answered from the image, without a word about it', async () => {
    const parsed = parseAnswer(await ask('generate-from-image-v1', colorQuestion, url(image)));
    if (isRejection(parsed)) throw new Error(parsed.detail);
    const asked = scene.objects.find(({ category }) => parsed.question.includes(category));
    expect(parsed.choices[parsed.correctChoiceIndex]).toBe(asked?.color);
  });

  test('is answered from the image where its captions say something else', async () => {
    const lies = { captions: '- a small red zebra on a beach', boxes: 'zebra: [0.1, 0.1, 0.5, 0.5]' };
    const text = await ask('generate-v1', { ...colorQuestion, ...lies }, url(image));
    expect(text).not.toContain('zebra');
    expect(scene.objects.some(({ category }) => text.includes(category))).toBe(true);
  });

  test('gets the same answer when the file is encoded anew and has no metadata', async () => {
    const withExif = await sharp(image)
      .withExif({ IFD0: { ImageDescription: 'a zebra' } })
      .jpeg()
      .toBuffer();
    const answers = [image, withExif, await withoutMetadata(withExif)].map((bytes) =>
      ask('generate-from-image-v1', colorQuestion, url(bytes)),
    );
    expect(new Set(await Promise.all(answers)).size).toBe(1);
  });

  test('is skipped for an image of anything else, whatever the captions say', async () => {
    const gray = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#808080' } })
      .png()
      .toBuffer();
    const facts = { captions: '- a small red cat on a beach', boxes: 'cat: [0.1, 0.1, 0.5, 0.5]' };
    expect(await ask('generate-v1', { ...colorQuestion, ...facts }, url(gray, 'png'))).toMatch(/^Skip: /);
  });
});

test('a short answer is true of the image, and has no choices', async () => {
  const parsed = parseShortAnswer(await ask('generate-short-from-image-v1', colorQuestion, url(image)));
  if (isRejection(parsed)) throw new Error(parsed.detail);
  const asked = scene.objects.find(({ category }) => parsed.question.includes(category));
  expect(parsed.answer).toBe(asked?.color);
});

test('a description has the facts and boxes from which the scene can be read back', async () => {
  const text = await ask('describe-v1', {}, url(image));
  const { facts, boxes } = JSON.parse(text) as { facts: string[]; boxes: { category: string; box: number[] }[] };
  const pixels = boxes.map(({ category, box: [left = 0, top = 0, right = 0, bottom = 0] }) => ({
    category,
    box: [left * 160, top * 160, (right - left) * 160, (bottom - top) * 160] as [number, number, number, number],
  }));
  const read = sceneFromAnnotations({ captions: facts, boxes: pixels, width: 160, height: 160 });
  expect(read).toMatchObject({ background: scene.background, quality: scene.quality });
  const known = read.objects.map(({ category, color, size, place }) => ({ category, color, size, place }));
  const byName = (left: { category: string }, right: { category: string }) => (left.category < right.category ? -1 : 1);
  expect(known.sort(byName)).toEqual(
    scene.objects.map(({ category, color, size, place }) => ({ category, color, size, place })).sort(byName),
  );
});

test('a question is answered from the image', async () => {
  const choices = ['red', 'orange', 'yellow', 'green', 'blue', 'purple', 'black', 'white']
    .filter((color) => color !== first.color)
    .slice(0, 3);
  const text = await ask(
    'verify-from-image-v1',
    {
      question: `What color is the ${first.category}?`,
      choices: [...choices, first.color].map((choice, index) => `(${'ABCD'[index]}) ${choice}`).join('\n'),
    },
    url(image),
  );
  expect(text).toMatch(/The picture shows it\.\nAnswer: \(D\)$/);
});

test.each([
  ['an address on the network', 'https://images.invalid/cat.jpg'],
  ['no image', url(Buffer.from('hello'))],
  ['a cut image', url(image.subarray(0, 400))],
])('%s is refused', async (_, address) => {
  await expect(ask('describe-v1', {}, address)).rejects.toMatchObject({ status: 400 });
});
