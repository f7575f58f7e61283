/**
 * Generation for a teacher that sees: the image goes along with every prompt, to the real local teacher.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeGenerationRun } from '../../bench/support/generation-run.ts';
import { startLocalTeacher } from '../../demo/local-teacher/server.ts';
import { renderScene } from '../../demo/scenes/render.ts';
import { randomScene } from '../../demo/scenes/scene.ts';
import { readJsonLines } from '../../src/core/read-json.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { poolImageUrl } from '../../src/round/dataset-paths.ts';
import { generate } from '../../src/round/generate/generate.ts';
import { generationFolder } from '../../src/round/generate/work.ts';
import { verify } from '../../src/round/verify/verify.ts';
import { rawAnswer } from '../../src/teacher/call-log.ts';
import { readLedger } from '../../src/teacher/ledger.ts';
import { type RecordedRequest, recordingProxy } from '../helpers/recording-proxy.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const requests = 5;

async function generationRun(settings: Record<string, unknown>) {
  const folder = await temporaryFolder();
  const teacher = await startLocalTeacher({ seed: 7 });
  onTestFinished(() => teacher.close());
  const proxy = await recordingProxy(teacher.baseUrl, () => true);
  const baseUrl = settings.mode === 'batch' ? teacher.baseUrl : `${proxy.address}/v1`;
  const context = await writeGenerationRun(
    folder,
    requests,
    { model: 'gpt-4', baseUrl, ...settings },
    { blindAnswers: 1, languageOnlyAnswers: 1 },
  );
  await mkdir(join(folder, 'images'));
  const random = seededRandom('attached');
  const scenes = Array.from({ length: requests }, (_, index) => randomScene(random.fork(index)));
  for (const [index, scene] of scenes.entries()) {
    await writeFile(join(folder, 'images', `${index + 1}.jpg`), await renderScene(scene));
  }
  const answers = async () =>
    (await readJsonLines((await generationFolder(context)).resultFile, rawAnswer)).map(
      ({ image_id, raw_instructions }) => ({ image_id, raw_instructions }),
    );
  return { folder, context, teacher, sent: proxy.requests, answers, scenes };
}

const urlsOf = ({ body }: RecordedRequest) =>
  body.messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.flatMap((part) => (part.type === 'image_url' ? [part.image_url] : [])),
  );
const wordsOf = ({ body }: RecordedRequest) =>
  body.messages.map(({ content }) =>
    typeof content === 'string' ? content : content.map((part) => (part.type === 'text' ? part.text : '')).join(''),
  );

test('each prompt contains its own image, at low detail, beside the same text', async () => {
  const blind = await generationRun({ attachImage: false, concurrency: 1 });
  await generate(blind.context);
  const { context, sent, answers, scenes } = await generationRun({ attachImage: true, concurrency: 1 });
  expect(await generate(context)).toMatchObject({ answers: requests, unanswered: 0 });
  expect(sent).toHaveLength(requests);
  for (const [index, request] of sent.entries()) {
    const url = await poolImageUrl(context.config, `${index + 1}.jpg`);
    expect(urlsOf(request)).toEqual([{ url, detail: 'low' }]);
  }
  expect(sent.map(wordsOf)).toEqual(blind.sent.map(wordsOf));
  // The local teacher goes by the image alone, and the captions are about others.
  const [seen, told] = [await answers(), await blind.answers()];
  expect(seen).not.toEqual(told);
  const things = scenes.map(({ objects }) => objects.map(({ category }) => category));
  for (const [index, { raw_instructions }] of seen.entries()) {
    if (raw_instructions.startsWith('Skip')) continue;
    const [question] = /^Question: .*\n.*\n.*$/m.exec(raw_instructions) ?? [];
    expect([question, things[index]?.some((name) => question?.includes(name))]).toEqual([question, true]);
  }
});

test('batches contain the images too', async () => {
  const online = await generationRun({ attachImage: true });
  await generate(online.context);
  const batch = { requests: 3, pollSeconds: 0.05, maximumPollSeconds: 0.1 };
  const { context, teacher, answers } = await generationRun({ attachImage: true, mode: 'batch', batch });
  expect(await generate(context)).toMatchObject({ answers: requests, unanswered: 0 });
  expect(teacher.counts().batch).toMatchObject({ created: 2, answered: requests });
  expect(await answers()).toEqual(await online.answers());
});

test('the image counts in the maximum cost of a call', async () => {
  const limit = 0.4;
  const { context, teacher } = await generationRun({
    attachImage: true,
    concurrency: 1,
    budget: { limit, whenReached: 'finish' },
  });
  const { answers, unanswered } = await generate(context);
  expect(answers).toBeGreaterThan(0);
  expect(answers + unanswered).toBe(requests);
  expect(teacher.counts().requests).toBe(answers);
  expect((await readLedger(context.run.root)).cost).toBeLessThanOrEqual(limit);
});

test('a blind verification attaches the image, a language-only one does not', async () => {
  const { context, sent } = await generationRun({ attachImage: true });
  await generate(context);
  const { samples } = await verify(context);
  const asked = sent.slice(requests);
  expect(samples).toBeGreaterThan(0);
  expect(asked.map((request) => urlsOf(request).length).sort()).toEqual([
    ...Array(samples).fill(0),
    ...Array(samples).fill(1),
  ]);
});

test('a missing image ends the generation with its name, without retries', async () => {
  const { folder, context } = await generationRun({ attachImage: true, concurrency: 1 });
  const file = join(folder, 'images', '2.jpg');
  await rm(file);
  await expect(generate(context)).rejects.toMatchObject({ name: 'InputError', file });
});
