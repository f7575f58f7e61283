import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';
import { writeJson } from '../../../src/core/write-file.ts';
import { buildMessages, imageOf } from '../../../src/generation/prompt.ts';
import { readQuestionTypes } from '../../../src/generation/question-types.ts';
import { withPool } from '../../../src/round/dataset-paths.ts';
import { listImages, whatIsEmbedded } from '../../../src/round/embed/embed-images.ts';
import { readPromptTemplate } from '../../../src/teacher/prompt-template.ts';
import { request } from '../../generation/requests.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from '../tiny-run.ts';

/** A pool of 24 images: image 1 has no boxes, image 2 no captions, image 3 eleven boxes. */
async function setUp() {
  const file = await writeTinyRun(await temporaryFolder());
  const { config, run } = await tinyContext(file);
  const annotationsOf = async (name: string, change: (all: { image_id: number }[]) => { image_id: number }[]) => {
    const path = join(config.data.root, 'COCO2017/annotations', name);
    const content = JSON.parse(await readFile(path, 'utf8'));
    await writeJson(path, { ...content, annotations: change(content.annotations) });
  };
  await annotationsOf('instances_train2017.json', (boxes) =>
    boxes.flatMap((box) => (box.image_id === 1 ? [] : Array(box.image_id === 3 ? 11 : 1).fill(box))),
  );
  await annotationsOf('captions_train2017.json', (captions) => captions.filter(({ image_id }) => image_id !== 2));
  const withPoolOf = (pool: 'described' | 'all') => ({ ...config, sampling: { ...config.sampling, pool } });
  return { described: withPoolOf('described'), all: withPoolOf('all'), run };
}

test('images without boxes or captions are in the pool where sampling.pool is all, and so are those with many boxes', async () => {
  const { described, all, run } = await setUp();
  const idsOf = async (config: typeof all) => (await listImages({ config, run })).ids.pool;
  expect(await idsOf(described)).toEqual(Array.from({ length: 21 }, (_, index) => index + 4));
  expect(await idsOf(all)).toEqual(Array.from({ length: 24 }, (_, index) => index + 1));
  expect((await whatIsEmbedded({ config: all })).cached).not.toBe((await whatIsEmbedded({ config: described })).cached);
});

test('a prompt has no boxes, or no captions, where an image has none', async () => {
  const { all } = await setUp();
  const images = await withPool(all, (coco) => coco.read([1, 2]));
  const template = await readPromptTemplate('configs/prompts/generate-v1.md');
  const questionTypes = await readQuestionTypes('configs/question-types.yaml');
  const promptOf = (number: number) => {
    const image = imageOf(images, { image_id: number });
    return buildMessages({ request: request(number), image, questionTypes, template }).at(-1)?.content;
  };
  expect(promptOf(1)).toMatch(/## Captions\n\n- a large [\s\S]*\n## Objects\n\s*## Answer format/);
  expect(promptOf(2)).toMatch(/## Captions\n\s*## Objects\n\n\w+: \[/);
});

test('configs/reference draws as the reference system: 6,000 requests, all images, CLIP ViT-B/32', async () => {
  const { sampling } = await loadConfig('configs/reference/13b-qmae-round1.yaml');
  expect(sampling).toMatchObject({
    strategy: 'adaptive',
    requests: 6000,
    nearestImages: 1000,
    maximumBoxes: 10,
    inContextExamples: 2,
    pool: 'all',
    embeddings: { model: expect.stringContaining('clip-vit-base-patch32') },
  });
});
