/** What a teacher receives of an image: its pixels alone, no larger than the config says, wherever images are sent. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { writeGenerationRun } from '../../bench/support/generation-run.ts';
import { startLocalTeacher } from '../../demo/local-teacher/server.ts';
import { hashBytes } from '../../src/core/hash.ts';
import { readJsonLines } from '../../src/core/read-json.ts';
import { verificationRequest } from '../../src/generation/verification.ts';
import { keptRequestsFile } from '../../src/round/asking/kept-answers.ts';
import { describeImages } from '../../src/round/describe-images.ts';
import { estimateRound, generate } from '../../src/round/generate/generate.ts';
import { makeIterationSamples, preparePrompt } from '../../src/round/prompt-optimization.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { verify } from '../../src/round/verify/verify.ts';
import { verificationWork } from '../../src/round/verify/work.ts';
import { readLedger } from '../../src/teacher/ledger.ts';
import { mostTokens } from '../../src/teacher/request-asker.ts';
import { photoWithMetadata, secretWords } from '../helpers/photo.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { completionOf, faultyServer, goodAnswer } from '../teacher/faulty-server.ts';

const requests = 3;
/** Of the photos; the annotations say 200 × 100. */
const [width, height] = [320, 160];

async function run(teacher: Record<string, unknown>, answer: Record<string, unknown> = {}) {
  const folder = await temporaryFolder();
  const { received, baseUrl } = await faultyServer(({ number, body }) => ({
    body: completionOf(isAnswer(body) ? 'It is seen.\nAnswer: (A)' : goodAnswer(number), answer),
  }));
  const settings = { model: 'gpt-4', attachImage: true, baseUrl, ...teacher };
  const context = await writeGenerationRun(folder, requests, settings, { blindAnswers: 1, languageOnlyAnswers: 1 });
  const images = join(folder, 'images');
  await mkdir(images);
  const [jpeg, png] = [await photoWithMetadata(width, height), await photoWithMetadata(width, height, 'png')];
  for (let id = 1; id <= 200; id += 1) await writeFile(join(images, `${id}.jpg`), id % 2 ? jpeg : png);
  return { context, received, urls: () => received.flatMap(({ body }) => imagesOf(body)) };
}

const isAnswer = (body: unknown) => JSON.stringify(body).includes('Question to answer');

const chat = z.object({ messages: z.array(z.object({ content: z.union([z.string(), z.array(z.looseObject({}))]) })) });
const imagePart = z.object({ image_url: z.object({ url: z.string(), detail: z.string() }) });
const imagesOf = (body: unknown) =>
  chat.parse(body).messages.flatMap(({ content }) => {
    const parts = typeof content === 'string' ? [] : content;
    return parts.flatMap((part) => imagePart.safeParse(part).data?.image_url ?? []);
  });

/** Fails unless the bytes hold an upright image of this longest side, and nothing of what was beside its pixels. */
async function expectClean({ url }: { url: string }, longestSide = width): Promise<void> {
  const [, kind, base64 = ''] = /^data:image\/(jpeg|png);base64,(.+)$/.exec(url) ?? [];
  const content = Buffer.from(base64, 'base64');
  for (const word of secretWords) expect(content.includes(word), word).toBe(false);
  const facts = await sharp(content).metadata();
  expect(facts.format).toBe(kind);
  expect([facts.width, facts.height]).toEqual([longestSide, longestSide / 2]);
  for (const field of ['exif', 'xmp', 'iptc', 'icc', 'orientation'] as const) expect(facts[field]).toBeUndefined();
}

const withImages = (context: StepContext, images: Partial<StepContext['config']['teacher']['images']>): StepContext => {
  const { config } = context;
  const teacher = { ...config.teacher, images: { ...config.teacher.images, ...images } };
  return { ...context, config: { ...config, teacher } };
};

test('generation and verification send no metadata, and the size and detail of the config', async () => {
  const { context, received, urls } = await run({ images: { longestSide: 100, detail: 'high' } });
  expect(await generate(context)).toMatchObject({ answers: requests });
  expect(urls()).toHaveLength(requests);
  await verify(context);
  const { length } = received.filter(({ body }) => isAnswer(body) && imagesOf(body).length > 0);
  expect(length).toBeGreaterThan(0);
  expect(urls()).toHaveLength(requests + length);
  for (const image of urls()) {
    expect(image.detail).toBe('high');
    await expectClean(image, 100);
  }
  expect(urls().map(({ url }) => url.slice(0, 14))).toEqual(
    expect.arrayContaining(['data:image/jpe', 'data:image/png']),
  );
});

test('so do batches', async () => {
  const teacher = await startLocalTeacher({ seed: 7 });
  onTestFinished(() => teacher.close());
  const batch = { requests, pollSeconds: 0.05, maximumPollSeconds: 0.1 };
  const local = { provider: 'local', mode: 'batch', baseUrl: teacher.baseUrl, batch };
  const { context } = await run({ ...local, images: { longestSide: 64 } });
  expect(await generate(context)).toMatchObject({ answers: requests });
  const list = z.object({ data: z.array(z.object({ id: z.string(), purpose: z.string() })) });
  const { data } = list.parse(await (await fetch(`${teacher.baseUrl}/files`)).json());
  const uploaded = data.filter(({ purpose }) => purpose === 'batch');
  expect(uploaded).toHaveLength(1);
  const content = await (await fetch(`${teacher.baseUrl}/files/${uploaded[0]?.id}/content`)).text();
  const images = content
    .trim()
    .split('\n')
    .flatMap((line) => imagesOf(JSON.parse(line).body));
  expect(images).toHaveLength(requests);
  for (const image of images) {
    expect(image.detail).toBe('low');
    await expectClean(image, 64);
  }
});

test('so do the optimization of prompts and the description of images', async () => {
  const { context, urls, received } = await run({ images: { longestSide: 64 } });
  await preparePrompt(context, undefined);
  expect(await makeIterationSamples(context, { iteration: 0, count: 2 })).toHaveLength(2);
  expect(urls()).toHaveLength(2);
  const descriptions = { source: 'facts' as const, file: 'facts.jsonl' };
  const { config } = context;
  await describeImages({ ...context, config: { ...config, data: { ...config.data, descriptions } } });
  // All photos have one of two contents.
  expect(urls()).toHaveLength(4);
  expect(received).toHaveLength(4);
  for (const image of urls()) await expectClean(image, 64);
});

test('an image of another size, or at another detail, is another request: answers are not used again', async () => {
  const { context, urls, received } = await run({});
  expect(await generate(context)).toMatchObject({ answers: requests, reused: false });
  expect(await generate(context)).toMatchObject({ reused: true });
  expect(received).toHaveLength(requests);
  for (const image of urls()) await expectClean(image);

  expect(await generate(withImages(context, { longestSide: 100 }))).toMatchObject({ answers: requests, reused: false });
  expect(received).toHaveLength(2 * requests);
  expect(await generate(withImages(context, { detail: 'high' }))).toMatchObject({ answers: requests, reused: false });
  expect(received).toHaveLength(3 * requests);
  const sent = received.map(({ body }) => hashBytes(JSON.stringify(body)));
  expect(new Set(sent).size).toBe(received.length);
});

test('where no image is sent, how images are sent changes nothing', async () => {
  const { context, received } = await run({ attachImage: false });
  await generate(context);
  expect(await generate(withImages(context, { longestSide: 100, detail: 'high' }))).toMatchObject({ reused: true });
  expect(received).toHaveLength(requests);
});

test('the estimate counts each image by the rule of the model and its annotated size, without its file', async () => {
  const tokens = async (teacher: Record<string, unknown>) => {
    const context = await writeGenerationRun(await temporaryFolder(), requests, { attachImage: true, ...teacher });
    return (await estimateRound(context)).promptTokens;
  };
  const none = await tokens({ attachImage: false, model: 'gpt-4o' });
  const counted = async (model: string, images = {}) => ((await tokens({ model, images })) - none) / requests;
  expect(await counted('gpt-4o')).toBe(85);
  expect(await counted('gpt-4o', { detail: 'high' })).toBe(85 + 170);
  expect(await counted('gpt-4o-mini', { detail: 'high' })).toBe(2833 + 5667);
  // 200 × 100 is 7 × 4 patches, 64 × 32 is 2 × 1.
  expect(await counted('gpt-4.1-mini')).toBe(Math.ceil(28 * 1.62));
  expect(await counted('gpt-4.1-mini', { longestSide: 64 })).toBe(Math.ceil(2 * 1.62));
  expect(await counted('a-model-of-mine')).toBe(1024);
});

test('the most that a request may cost has its image, where it has one', async () => {
  const { context } = await run({ model: 'gpt-4o-mini', images: { detail: 'high' } });
  await generate(context);
  await verify(context);
  const work = await verificationWork(context);
  const asked = await readJsonLines(join(work.directory, keptRequestsFile), verificationRequest);
  const form = await work.formOf(asked);
  const most = asked.map((request) => ({ kind: request.kind, tokens: mostTokens(form, request).promptTokens }));
  const tokens = (wanted: string) => most.filter(({ kind }) => kind === wanted).map((each) => each.tokens);
  expect(Math.min(...tokens('blind'))).toBeGreaterThan(2833 + 5667);
  expect(Math.max(...tokens('language_only'))).toBeLessThan(2833);
});

test('a budget is not exceeded at a server that counts nothing: images are charged by the rule', async () => {
  const uncounted = { usage: undefined };
  const charged = async (detail: 'low' | 'high') => {
    const { context } = await run({ model: 'gpt-4o-mini', images: { detail } }, uncounted);
    return (await generate(context)).promptTokens / requests;
  };
  expect((await charged('high')) - (await charged('low'))).toBe(5667);
  // At high detail a request costs 0.0014 and reserves 0.0019, at low detail 0.0006 and 0.001.
  const answered = async (detail: 'low' | 'high') => {
    const budget = { limit: 0.003, whenReached: 'finish' };
    const { context } = await run({ model: 'gpt-4o-mini', concurrency: 1, images: { detail }, budget }, uncounted);
    const { answers } = await generate(context);
    expect((await readLedger(context.run.root)).cost).toBeLessThanOrEqual(budget.limit);
    return answers;
  };
  expect(await answered('low')).toBe(requests);
  expect(await answered('high')).toBe(1);
});
