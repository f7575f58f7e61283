/** The configs of docs/recipes, with tiny models and data: a base finetune and a round with a teacher behind HTTP. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { projectFile } from '../../src/core/files.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { append } from '../../src/round/append/append.ts';
import { classify } from '../../src/round/classify/classify.ts';
import { embed } from '../../src/round/embed/embed.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { gate } from '../../src/round/gate/gate.ts';
import { estimateRound, generate } from '../../src/round/generate/generate.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { prepareData } from '../../src/round/prepare-data/prepare-data.ts';
import { refine } from '../../src/round/refine/refine.ts';
import { sample } from '../../src/round/sample/sample.ts';
import { mmbenchRows, writeTable } from '../evaluation/benchmarks/official-files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyModel } from '../helpers/tiny-model.ts';
import { writeTinyDataset } from '../round/tiny-dataset.ts';
import { tinyContext } from '../round/tiny-run.ts';
import { completionOf, faultyServer, goodAnswer } from '../teacher/faulty-server.ts';
import { TORCH_TIMEOUTS, torchIsSetUp, torchPython } from '../trainer/torch/torch-jobs.ts';

vi.setConfig(TORCH_TIMEOUTS);
afterEach(() => vi.unstubAllEnvs());

const colors = ['red', 'green', 'blue', 'yellow'];
const colorOf = (index: number) => colors[index % colors.length] as string;
const question = 'What color is the label?';
const types = ['image_scene', 'attribute_recognition'];

/** Images of one color each, with a line of their own. */
async function writeImages(folder: string, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => `line ${index % 3}/${index}.png`);
  for (const [index, name] of names.entries()) {
    const file = join(folder, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, await plainImage(colorOf(index), index));
  }
  return names;
}

function plainImage(color: string, index: number): Promise<Buffer> {
  const line = { create: { width: 3, height: index + 1, channels: 3 as const, background: 'black' } };
  return sharp({ create: { width: 96, height: 64, channels: 3, background: color } })
    .composite([{ input: line, left: index, top: 2 }])
    .png()
    .toBuffer();
}

/** The recipe's config with what a test must change, for round 0 and round 1 by a teacher that answers well. */
async function run(folder: string, recipe: string, changes: Record<string, object>) {
  vi.stubEnv('OPENAI_API_KEY', 'sk-none');
  const { received, baseUrl } = await faultyServer(({ number }) => ({ body: completionOf(goodAnswer(number)) }));
  const { teacher, ...others } = changes;
  const file = join(folder, 'my.yaml');
  const config = {
    extends: projectFile(recipe),
    run: 'mine',
    runsDirectory: join(folder, 'runs'),
    cacheDirectory: join(folder, 'cache'),
    teacher: { ...teacher, baseUrl },
    ...others,
  };
  await writeFile(file, stringify(config));
  const context = await tinyContext(file, { trainer: undefined });
  const measured = async (round: number) => {
    const learned = await finetune({ ...context, round });
    await merge({ ...context, round });
    const scored = await evaluate({ ...context, round });
    await classify({ ...context, round });
    await gate({ ...context, round });
    return { ...learned, questions: scored.questions };
  };
  await prepareData(context);
  const base = await measured(0);
  await embed({ ...context, round: 1 });
  await sample({ ...context, round: 1 });
  const estimate = await estimateRound({ ...context, round: 1 });
  await generate({ ...context, round: 1 });
  await refine({ ...context, round: 1 });
  const { samplesAdded } = await append({ ...context, round: 1 });
  return { base, estimate, samplesAdded, first: await measured(1), received, context };
}

const small = { batchSize: 4, microBatchSize: 2, epochs: 1, stepsPerEpoch: 2, learningRate: { warmupSteps: 1 } };
const float32 = { computeDtype: 'float32', weightDtype: 'float32', activationCheckpointing: false };

describe('recipes', () => {
  test.skipIf(!torchIsSetUp)('Qwen2.5-VL on images of your own, with a GPT teacher', async () => {
    const folder = await temporaryFolder();
    const model = join(folder, 'model');
    await torchPython('make-chat-model.py', 'qwen2_5_vl', model);
    const root = join(folder, 'data');
    const names = await writeImages(join(root, 'photos'), 20);
    const rows = names.slice(0, 8).map((name, index) => `${name},${question},red,green,blue,yellow,${colorOf(index)}`);
    await writeFile(join(root, 'train.csv'), `image,question,A,B,C,D,answer\n${rows.join('\n')}\n`);
    const asked = names
      .slice(16)
      .map((name, index) => `${name},${question},red,green,blue,yellow,${colorOf(index)},${types[index % 2]}`);
    await writeFile(join(root, 'validation.csv'), `image,question,A,B,C,D,answer,type\n${asked.join('\n')}\n`);
    const found = await run(folder, 'configs/recipes/qwen2.5-vl-own-images.yaml', {
      model: { path: model },
      data: { root },
      finetune: small,
      sampling: { requests: 6 },
      teacher: {},
    });
    expect(found.base).toMatchObject({ samples: 8, steps: 2, questions: 4 });
    expect(found.estimate).toMatchObject({ requests: 6, currency: 'USD', cost: expect.any(Number) });
    expect(found.estimate.cost).toBeGreaterThan(0);
    expect(JSON.stringify(found.received[0]?.body)).toContain('data:image/');
    expect(found.samplesAdded).toBeGreaterThan(0);
    expect(found.first.samples).toBe(8 + found.samplesAdded);
    expect(found.context.config.model.image).toEqual({ maxPixels: 401_408 });
  });

  test('LLaVA-1.5 on a folder of documents, with a teacher behind vLLM', async () => {
    const folder = await temporaryFolder();
    const model = join(folder, 'model');
    await writeTinyModel(model, { family: 'llava' });
    const root = join(folder, 'data');
    const names = await writeImages(join(root, 'documents'), 20);
    await writeJson(
      join(root, 'train.json'),
      names.slice(0, 8).map((image, index) => ({
        id: `${index}`,
        image,
        conversations: [
          { from: 'human', value: `<image>\n${question}` },
          { from: 'gpt', value: `It is ${colorOf(index)}.` },
        ],
      })),
    );
    const asked = names
      .slice(16)
      .map((name, index) => `${name},${question},red,green,blue,yellow,${colorOf(index)},color`);
    await writeFile(join(root, 'validation.csv'), `image,question,A,B,C,D,answer,type\n${asked.join('\n')}\n`);
    const found = await run(folder, 'configs/recipes/llava-1.5-documents.yaml', {
      model: { path: model },
      data: { root },
      finetune: { ...small, ...float32 },
      sampling: { requests: 6 },
      teacher: {},
    });
    expect(found.base).toMatchObject({ samples: 8, steps: 2, questions: 4 });
    // What a server of one's own costs is not known.
    expect(found.estimate).toMatchObject({ requests: 6 });
    expect(found.estimate.currency).toBeUndefined();
    expect(found.received[0]?.body).toMatchObject({ model: 'Qwen/Qwen2.5-VL-32B-Instruct' });
    expect(JSON.stringify(found.received[0]?.body)).toContain('data:image/');
    expect(found.first.samples).toBe(8 + found.samplesAdded);
  });

  test("the reference's MiniGPT-4: its settings, and a round of its own after them", async () => {
    const folder = await temporaryFolder();
    const model = join(folder, 'model');
    await writeTinyModel(model, { family: 'minigpt4' });
    const root = join(folder, 'data');
    await writeTinyDataset(root);
    await writeTable(join(root, 'MMBench/mmbench_dev_20230712.tsv'), await mmbenchRows());
    const found = await run(folder, 'configs/reference/7b-qma-base.yaml', {
      model: { path: model },
      data: {
        root,
        validation: { file: 'A-OKVQA/aokvqa_v1p0_val.json' },
      },
      finetune: { ...small, ...float32, groupSize: 2 },
      sampling: { requests: 6, embeddings: { model: projectFile('test/fixtures/tiny-clip') } },
      teacher: {},
    });
    expect(found.base).toMatchObject({ steps: 2, questions: 8 });
    expect(found.estimate).toMatchObject({ requests: 6, currency: 'USD' });
    // Its first requests extract choices from what MMBench's questions were answered.
    expect(found.received.map(({ body }) => body)).toContainEqual(
      expect.objectContaining({ model: 'gpt-4', temperature: 0.7, stop: ['###'] }),
    );
    expect(found.first.samples).toBeGreaterThanOrEqual(found.base.samples);
    expect(found.context.config.model.tokenBoundaries).toBe('reference');
  });
});
