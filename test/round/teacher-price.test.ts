/** Before a teacher is paid, the price is said and agreed to: by every step that asks it, in one place. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { describeImages } from '../../src/round/describe-images.ts';
import { estimatePrompt } from '../../src/round/paid-teacher.ts';
import { checkQuestionTypes } from '../../src/round/question-types.ts';
import type { ExpectedCost, StepContext } from '../../src/round/step-context.ts';
import { settleUnclearOf } from '../../src/round/teacher.ts';
import { confirmRequests, planRequests } from '../../src/round/teacher-price.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { completionOf, faultyServer } from '../teacher/faulty-server.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

/** A run whose teacher has a price, with a folder of photos; what is asked of a person is kept. */
async function paidRun(answer: string, { agrees = true, model = 'gpt-4o' } = {}) {
  const folder = await temporaryFolder();
  const { received, baseUrl } = await faultyServer(() => ({ body: completionOf(answer) }));
  const teacher = { provider: 'openai', baseUrl, model, concurrency: 2 };
  const file = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    data: {
      ...tiny.data,
      images: { ...tiny.data.images, train: 'photos' },
      descriptions: { source: 'facts', file: 'facts.jsonl' },
    },
    teacher: { ...tiny.teacher, ...teacher },
  }));
  const photos = join(folder, 'data/photos');
  await mkdir(photos, { recursive: true });
  for (const background of ['red', 'green', 'blue'])
    await sharp({ create: { width: 40, height: 20, channels: 3, background } })
      .png()
      .toFile(join(photos, `${background}.png`));
  const asked: { cost: ExpectedCost; after: number }[] = [];
  const confirmCost = async (cost: ExpectedCost) => {
    asked.push({ cost, after: received.length });
    if (!agrees) throw new Error('refused');
  };
  return { context: await tinyContext(file, { confirmCost }), asked, received };
}

const choices = ['bear', 'cat', 'lamp'].map((text, index) => ({ letter: 'ABC'[index] as string, text }));
const unclear = ['a pet', 'a toy'].map((answer) => ({ question: 'What is it?', choices, answer }));
const described = JSON.stringify({ facts: ['It is red.'], boxes: [] });
const typed = JSON.stringify({
  classified: Array.from({ length: 8 }, (_, index) => ({ number: index + 1, question_type: 'image_scene' })),
});

const works: [string, string, number, (context: StepContext) => Promise<unknown>][] = [
  ['finding the choices of written answers', 'B', 2, async (context) => settleUnclearOf(context)?.(unclear)],
  ['describe-images', described, 3, describeImages],
  ['question-types', typed, 1, checkQuestionTypes],
];

test.each(works)(
  '%s: the price of all requests is said once, before the first of them',
  async (_, answer, requests, work) => {
    const { context, asked, received } = await paidRun(answer);
    await work(context);
    expect(asked).toEqual([
      {
        cost: { requests, cost: { likely: expect.any(Number), most: expect.any(Number), currency: 'USD' } },
        after: 0,
      },
    ]);
    const { likely = 0, most = 0 } = asked[0]?.cost.cost ?? {};
    expect(likely).toBeGreaterThan(0);
    expect(most).toBeGreaterThanOrEqual(likely);
    expect(received).toHaveLength(requests);
  },
);

test.each(works)('%s: nothing is asked of the teacher where a person refuses', async (_, answer, __, work) => {
  const { context, asked, received } = await paidRun(answer, { agrees: false });
  await expect(work(context)).rejects.toThrow('refused');
  expect(asked).toHaveLength(1);
  expect(received).toEqual([]);
});

test('answers that are known cost nothing, and nobody is asked again', async () => {
  const { context, asked } = await paidRun('B');
  await settleUnclearOf(context)?.(unclear);
  await settleUnclearOf(context)?.(unclear);
  expect(asked).toHaveLength(1);
});

test('a server of one’s own has no price, and nobody is asked', async () => {
  const { context, asked, received } = await paidRun('B', { model: 'my-own' });
  await settleUnclearOf(context)?.(unclear);
  expect(asked).toEqual([]);
  expect(received).toHaveLength(2);
});

test('a price is that of the prompts, their images, and answers of the likely and of the allowed length', async () => {
  const { context, asked } = await paidRun('B');
  const prompts = [[{ role: 'user' as const, content: 'one two three' }]];
  await confirmRequests(context, () => planRequests(prompts, { likely: 10, most: 1000 }, 100_000));
  // GPT-4o: 2.50 USD for a million tokens of prompts, 10 USD for one of answers.
  const { likely = 0, most = 0 } = asked[0]?.cost.cost ?? {};
  expect(likely).toBeCloseTo(0.25 + 0.0001, 3);
  expect(most).toBeCloseTo(0.25 + 0.01, 3);
});

test('a version of the prompt costs its samples, twice as many from the second on, and its revision', async () => {
  const { context } = await paidRun('B');
  const price = await estimatePrompt(context, 8);
  expect(price?.requests).toBe(18);
  expect(price?.cost?.most).toBeGreaterThan(price?.cost?.likely ?? Number.POSITIVE_INFINITY);
  const { context: own } = await paidRun('B', { model: 'my-own' });
  expect(await estimatePrompt(own)).toBeUndefined();
});
