import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSafetensors } from '../../../../src/model/files/safetensors.ts';
import { embed } from '../../../../src/trainer/jobs/embed/embed.ts';
import { maximumDifference, recordingReporter } from '../../../helpers/jobs.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { writeTinyModel, writeTinyQuestions } from '../../../helpers/tiny-model.ts';

let folder: string;
let model: string;
let files: string[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'embed-'));
  model = path.join(folder, 'model');
  await writeTinyModel(model);
  const { images } = await writeTinyQuestions(path.join(folder, 'data'), 12);
  files = (await readdir(images)).sort().map((name) => path.join(images, name));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function embeddings(images: string | string[]): Promise<Float32Array[]> {
  const output = path.join(await temporaryFolder(), 'embeddings.safetensors');
  await embed({ model, images, output }, recordingReporter());
  const file = await openSafetensors(output);
  try {
    const [count, hidden] = (file.tensors.get('embeddings') as { shape: number[] }).shape as [number, number];
    const values = await file.read('embeddings');
    return Array.from({ length: count }, (_, row) => values.slice(row * hidden, (row + 1) * hidden));
  } finally {
    await file.close();
  }
}

test('each image gets one vector of length one, in the order of the list', async () => {
  const forward = await embeddings(files);
  const backward = await embeddings(files.toReversed());
  expect(forward).toHaveLength(files.length);
  for (const vector of forward) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  for (const [index, vector] of backward.toReversed().entries()) {
    expect(maximumDifference(vector, forward[index] as Float32Array)).toBeLessThan(1e-5);
  }
});

test('the same image gives the same vector wherever it stands, other images give others', async () => {
  const [first, second] = files as [string, string];
  const vectors = await embeddings([first, ...Array.from({ length: 20 }, () => second), first]);
  const [one, other] = vectors as [Float32Array, Float32Array];
  expect(maximumDifference(vectors.at(-1) as Float32Array, one)).toBeLessThan(1e-6);
  expect(maximumDifference(one, other)).toBeGreaterThan(1e-3);
});

test('the list may be a file', async () => {
  const list = path.join(await temporaryFolder(), 'images.json');
  await writeFile(list, JSON.stringify(files.slice(0, 2)));
  expect(await embeddings(list)).toHaveLength(2);
});

test('an image that is cut short is named', async () => {
  const { images } = await writeTinyQuestions(await temporaryFolder(), 2);
  const image = path.join(images, '000000000001.jpg');
  await truncate(image, 400);
  await expect(embeddings([files[0] as string, image])).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringContaining(image),
  });
});
