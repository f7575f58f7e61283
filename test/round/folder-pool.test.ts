/** A pool that is a folder: string ids, nested folders, no captions and no boxes, through every step of a round. */
import { access, appendFile, copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { loadConfig } from '../../src/config/load-config.ts';
import { projectFile } from '../../src/core/files.ts';
import { readJson, readJsonLines } from '../../src/core/read-json.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { readEngineData } from '../../src/datasets/engine-data.ts';
import { trainingSampleSchema } from '../../src/datasets/train-dataset.ts';
import { append } from '../../src/round/append/append.ts';
import { checkData } from '../../src/round/check-data.ts';
import { classify } from '../../src/round/classify/classify.ts';
import { embed } from '../../src/round/embed/embed.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { gate } from '../../src/round/gate/gate.ts';
import { generate } from '../../src/round/generate/generate.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { prepareData } from '../../src/round/prepare-data/prepare-data.ts';
import { makeIterationSamples, preparePrompt } from '../../src/round/prompt-optimization.ts';
import { refine } from '../../src/round/refine/refine.ts';
import { readSampledRequests } from '../../src/round/sample/results.ts';
import { sample } from '../../src/round/sample/sample.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { steps } from '../../src/round/steps.ts';
import { verify } from '../../src/round/verify/verify.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { completionOf, faultyServer, goodAnswer } from '../teacher/faulty-server.ts';
import { imageName } from './tiny-dataset.ts';
import { type TinyConfig, tinyContext, writeTinyRun } from './tiny-run.ts';

const pathOf = (id: number) => (id % 2 === 0 ? `linie 2/prüfung/teil ${id}.jpg` : `linie-1/${id}.jpg`);
const promptsFromImages = {
  prompt: projectFile('configs/prompts/generate-from-image-v1.md'),
  blindPrompt: projectFile('configs/prompts/verify-from-image-v1.md'),
};

/** The tiny run with its images under paths of their own in nested folders, and without annotations. */
async function folderRun(change: (config: TinyConfig) => object) {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, change);
  const root = join(folder, 'data');
  await rm(join(root, 'COCO2017/annotations'), { recursive: true });
  const records = z.array(z.looseObject({ image_id: z.int() }));
  for (const split of ['train', 'val', 'test']) {
    const file = join(root, `A-OKVQA/aokvqa_v1p0_${split}.json`);
    const questions = await readJson(file, records);
    for (const { image_id } of questions) {
      const to = join(root, 'COCO2017', `${split}2017`, pathOf(image_id));
      await mkdir(dirname(to), { recursive: true });
      await rename(join(root, 'COCO2017', `${split}2017`, imageName(image_id)), to);
      // Bytes after the end of an image change nothing but its content: the tiny images are copies of four.
      await appendFile(to, `${split} ${image_id}`);
    }
    await writeJson(
      file,
      questions.map((question) => ({ ...question, image_id: pathOf(question.image_id) })),
    );
  }
  const pool = join(root, 'COCO2017/train2017');
  const kinds = ['exif6.jpg', 'cmyk.jpg', 'gray16.png', 'palette.png', 'anim.gif', 'anim.webp'];
  await mkdir(join(pool, 'kinds'));
  for (const name of kinds) await copyFile(projectFile(`test/fixtures/ugly-images/${name}`), join(pool, 'kinds', name));
  return { folder, root, pool, kinds, config };
}

/** A teacher that is sent everything and answers about each image. */
async function teacherWithEyes() {
  const { received, baseUrl } = await faultyServer(({ number, body }) => {
    const isAnswer = JSON.stringify(body).includes('Question to answer');
    return { body: completionOf(isAnswer ? 'It is seen.\nAnswer: (A)' : goodAnswer(number)) };
  });
  const sent = () =>
    received.map(({ body }) => {
      const { messages } = z
        .object({
          messages: z.array(z.object({ role: z.string(), content: z.union([z.string(), z.array(partSchema)]) })),
        })
        .parse(body);
      const parts = messages.flatMap(({ content }) => (typeof content === 'string' ? [{ text: content }] : content));
      return {
        text: parts.map(({ text = '' }) => text).join('\n'),
        images: parts.flatMap(({ image_url }) => (image_url === undefined ? [] : [image_url.url])),
      };
    });
  return { baseUrl, sent };
}
const partSchema = z.object({ text: z.string().optional(), image_url: z.object({ url: z.string() }).optional() });

test('images without any annotation go through a whole round, and the teacher is shown each', async () => {
  const { baseUrl, sent } = await teacherWithEyes();
  const { pool, kinds, config } = await folderRun((tiny) => ({
    ...tiny,
    data: { ...tiny.data, descriptions: { source: 'image' } },
    sampling: { ...tiny.sampling, requests: 60 },
    teacher: { ...tiny.teacher, baseUrl, prompt: promptsFromImages.prompt },
    verify: { ...tiny.verify, blindPrompt: promptsFromImages.blindPrompt, blindAnswers: 1, agreement: 0 },
  }));
  // A copy of a validation image under a name of its own.
  const copied = join(pool, 'a copy.jpg');
  await copyFile(join(pool, '../val2017', pathOf(1001)), copied);

  const context = await tinyContext(config);
  const inRound = (round: number): StepContext => ({ ...context, round });
  expect(await checkData(context.config, context)).toMatchObject({ problems: [] });
  await prepareData(inRound(0));
  await finetune(inRound(0));
  await merge(inRound(0));
  await evaluate(inRound(0));
  await classify(inRound(0));
  await gate(inRound(0));
  await embed(inRound(0));
  const sampled = await sample(inRound(1));
  const requests = await readSampledRequests(join(context.run.root, 'round-1', 'sample'));
  // More are asked for than there are images, and no image is drawn twice: that is said.
  const wanted = context.config.sampling.requests;
  expect(sampled).toMatchObject({ requests: requests.length, wanted });
  expect(steps.sample.summary?.(sampled)).toBe(`${requests.length} requests of ${wanted}: no more images are free`);
  const ids = requests.map(({ image_id }) => image_id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const name of kinds) expect(ids).toContain(`kinds/${name}`);
  expect(ids).not.toContain('a copy.jpg');
  await generate(inRound(1));
  const asked = sent();
  expect(asked).toHaveLength(requests.length);
  for (const { text, images } of asked) {
    expect(images).toHaveLength(1);
    expect(text).not.toMatch(/captions|## Objects/i);
  }
  const turned = asked.filter(({ images }) => images[0]?.startsWith('data:image/png')).length;
  expect(turned).toBeGreaterThanOrEqual(4);
  await verify(inRound(1));
  const verified = sent().slice(asked.length);
  expect(verified.length).toBeGreaterThan(0);
  expect(verified.every(({ images }) => images.length === 1)).toBe(true);
  const { accepted } = await refine(inRound(1));
  expect(accepted).toBeGreaterThan(0);
  await append(inRound(1));
  const data = await readEngineData(join(context.run.root, 'round-1', 'DataEngine_round1_data.json'));
  expect(data.every(({ image_id }) => ids.includes(image_id))).toBe(true);
  await finetune(inRound(1));
  const mixture = join(context.run.root, 'round-1', 'finetune', 'mixture', 'samples.jsonl');
  const trained = await readJsonLines(mixture, trainingSampleSchema);
  expect(trained.some(({ source }) => source === 'round1')).toBe(true);
  await Promise.all(trained.map(({ image }) => access(image as string)));
});

test('a prompt with places for captions is refused before anything is paid, with the one to take', async () => {
  const { config } = await folderRun((tiny) => ({
    ...tiny,
    data: { ...tiny.data, descriptions: { source: 'image' } },
  }));
  const context = await tinyContext(config);
  const { problems } = await checkData(context.config, context);
  expect(problems).toHaveLength(1);
  expect(problems[0]?.error.message).toContain(
    'has a place {{captions}}, but data.descriptions.source: image tells none. Set teacher.prompt to a prompt without it, such as configs/prompts/generate-from-image-v1.md',
  );
});

test('facts of a person take the place of captions, and only described images are drawn', async () => {
  const { root, config } = await folderRun((tiny) => ({
    ...tiny,
    data: { ...tiny.data, descriptions: { source: 'facts', file: 'facts.jsonl' } },
  }));
  const told = [1, 2, 3].map((id) => ({ image: pathOf(id), facts: [`Part ${id} has a loose cap.`] }));
  await writeFile(join(root, 'facts.jsonl'), told.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const { baseUrl, sent } = await teacherWithEyes();
  const context = await tinyContext(config);
  const withTeacher = { ...context, config: { ...context.config, teacher: { ...context.config.teacher, baseUrl } } };
  await preparePrompt(withTeacher, undefined);
  const samples = await makeIterationSamples(withTeacher, { iteration: 0, count: 6 });
  expect(samples.map(({ image_id }) => image_id).sort()).toEqual([1, 2, 3].map(pathOf).sort());
  expect(sent().every(({ text, images }) => /- Part \d has a loose cap\./.test(text) && images.length === 0)).toBe(
    true,
  );
});

test('prompt optimization shows the images too', async () => {
  const { config } = await folderRun((tiny) => ({
    ...tiny,
    data: { ...tiny.data, descriptions: { source: 'image' } },
    teacher: { ...tiny.teacher, prompt: promptsFromImages.prompt },
  }));
  const { baseUrl, sent } = await teacherWithEyes();
  const context = await tinyContext(config);
  const withTeacher = { ...context, config: { ...context.config, teacher: { ...context.config.teacher, baseUrl } } };
  await preparePrompt(withTeacher, undefined);
  await makeIterationSamples(withTeacher, { iteration: 0, count: 3 });
  expect(sent().map(({ images }) => images.length)).toEqual([1, 1, 1]);
});

test('a config of facts names their file, and no other source does', async () => {
  const { config } = await folderRun((tiny) => tiny);
  const text = await readFile(config, 'utf8');
  const withDescriptions = async (descriptions: string) => {
    await writeFile(config, text.replace('data:\n', `data:\n  descriptions: ${descriptions}\n`));
    return loadConfig(config);
  };
  await expect(withDescriptions('{ source: facts }')).rejects.toThrow('data.descriptions.file: is missing');
  await expect(withDescriptions('{ source: image, file: a.jsonl }')).rejects.toThrow('source image reads no file');
  await expect(withDescriptions('{ source: facts, file: ../a.jsonl }')).rejects.toThrow('leads out of its folder');
});
