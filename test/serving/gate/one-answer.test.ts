/**
 * One model, one answer: base and adapter, the merged model and a server give the same, and each fault that makes them two models
 * is found. The server here is transformers alone, with nothing but the files of `merged/`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { pythonOfSetup } from '../../../src/core/setup-file.ts';
import { writeAskingFiles } from '../../../src/model/files/asking-files.ts';
import { readModelDirectory, writeModelDirectory } from '../../../src/model/files/model-directory.ts';
import { openSafetensors, writeSafetensors } from '../../../src/model/files/safetensors.ts';
import { askServer } from '../../../src/round/check-serving/ask-server.ts';
import type { Engine } from '../../../src/serving/engine.ts';
import { askEngine, type GateQuestion } from '../../../src/serving/gate/ask-engine.ts';
import { type Answers, compareAnswers, tolerances } from '../../../src/serving/gate/compare-answers.ts';
import { openTensorflowEngine } from '../../../src/serving/tensorflow/open-engine.ts';
import { finetune } from '../../../src/trainer/jobs/finetune/finetune.ts';
import { merge } from '../../../src/trainer/jobs/merge/merge.ts';
import { recordingReporter, tinyFinetune } from '../../helpers/jobs.ts';
import { type TinyMixture, writeTinyMixture, writeTinyModel } from '../../helpers/tiny-model.ts';
import { TORCH_TIMEOUTS, torchIsSetUp } from '../../trainer/torch/torch-jobs.ts';

const MAXIMUM_TOKENS = 12;
const choices = ['The answer is (A) red', 'The answer is (B) left of the dog', 'no'];

let folder: string;
let base: string;
let adapter: string;
let merged: string;
let mixture: TinyMixture;
let questions: GateQuestion[];
let trained: Answers;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'one-answer-'));
  base = path.join(folder, 'base');
  adapter = path.join(folder, 'adapter');
  merged = path.join(folder, 'merged');
  await writeTinyModel(base, { family: 'llava' });
  mixture = await writeTinyMixture(path.join(folder, 'mixture'), 64);
  const lora = {
    rank: 4,
    alpha: 8,
    dropout: 0,
    targetModules: ['q_proj', 'v_proj', 'down_proj'] as [string, ...string[]],
  };
  await finetune(tinyFinetune(base, mixture, adapter, { lora, steps: 16 }), recordingReporter());
  await mergeInto(merged, adapter);
  questions = mixture.samples
    .slice(0, 6)
    .map(({ id, image, prompt }) => ({ id, image: () => readFile(image), question: prompt, choices }));
  trained = await answersOf('base + adapter', base, { trained: adapter });
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function mergeInto(output: string, from: string): Promise<void> {
  const parity = { samples: mixture.samplesFile, count: 2, tolerance: 1e-3 };
  await merge({ model: base, adapter: from, output, parity }, recordingReporter());
  await writeAskingFiles(output);
}

async function answersOf(name: string, model: string, adapters: Record<string, string> = {}): Promise<Answers> {
  const engine = await openTensorflowEngine({ kind: 'serve', model, name: 'merged', adapters, slots: 4 });
  try {
    return await ask(name, engine);
  } finally {
    await engine.close();
  }
}

async function ask(name: string, engine: Engine): Promise<Answers> {
  const model = engine.models.at(-1) as string;
  return { name, answers: await askEngine(questions, { engine, model, maximumTokens: MAXIMUM_TOKENS }) };
}

const compared = (served: Answers) => compareAnswers(trained, served, tolerances.float32);

/** A copy of the merged model with something else in one of its files. */
async function mergedWith(name: string, change: (content: Record<string, unknown>) => object): Promise<string> {
  const model = path.join(await mkdtemp(path.join(folder, 'changed-')), 'merged');
  await cp(merged, model, { recursive: true });
  const file = path.join(model, name);
  await writeFile(file, JSON.stringify(change(JSON.parse(await readFile(file, 'utf8')))));
  return model;
}

/** The adapter without the tensors of one module. */
async function adapterWithout(module: RegExp): Promise<string> {
  const changed = await mkdtemp(path.join(folder, 'adapter-'));
  await cp(adapter, changed, { recursive: true });
  const name = 'adapter_model.safetensors';
  const file = await openSafetensors(path.join(adapter, name));
  try {
    const names = [...file.tensors.keys()];
    const kept = names.filter((one) => !module.test(one));
    expect(kept.length).toBeLessThan(names.length);
    const tensors = await Promise.all(
      kept.map(async (one) => ({
        name: one,
        shape: [...(file.tensors.get(one)?.shape ?? [])],
        data: await file.read(one),
      })),
    );
    await writeSafetensors(path.join(changed, name), tensors);
  } finally {
    await file.close();
  }
  return changed;
}

test('base and adapter, and the merged model, give one answer', async () => {
  const result = compared(await answersOf('merged', merged));
  expect(result.difference).toBeUndefined();
  expect(result).toMatchObject({ compared: 'losses and texts', questions: 6, sameChoices: 6 });
  expect(result.sameTexts + result.nearTies).toBe(6);
  expect(result.largestLossDifference).toBeLessThan(1e-4);
  expect(trained.answers.every(({ text }) => text !== '')).toBe(true);
});

test('the adapter makes a difference, and without it the model is another', async () => {
  expect(compared(await answersOf('base', base)).difference?.problem).toMatch(/^the loss of choice \d is/);
});

test('another value of the processor is found', async () => {
  const model = await mergedWith('preprocessor_config.json', (content) => ({
    ...content,
    image_mean: [0.2, 0.5, 0.5],
  }));
  expect(compared(await answersOf('served', model)).difference?.problem).toMatch(/^the loss of choice \d is/);
});

test('a module of the adapter that was dropped is found', async () => {
  const model = path.join(folder, 'dropped');
  await mergeInto(model, await adapterWithout(/layers\.1\.mlp\.down_proj/));
  expect(compared(await answersOf('served', model)).difference?.problem).toMatch(/^the loss of choice \d is/);
});

test('a head that is tied to the embeddings, which it is not in the model, is found', async () => {
  const model = path.join(folder, 'tied');
  const whole = await readModelDirectory(merged);
  try {
    const { config } = whole;
    const tied = {
      ...config,
      tie_word_embeddings: true,
      text_config: { ...config.text_config, tie_word_embeddings: true },
    };
    const names = whole.names().filter((name) => !name.endsWith('lm_head.weight'));
    expect(names).toHaveLength(whole.names().length - 1);
    const tensors = await Promise.all(names.map(async (name) => ({ name, ...(await whole.read(name)) })));
    await writeModelDirectory(model, { config: tied as typeof config, tensors, copyFrom: merged });
  } finally {
    await whole.close();
  }
  expect(compared(await answersOf('served', model)).difference?.problem).toMatch(/^the loss of choice \d is/);
});

test('another end token is found', async () => {
  const engine = await openTensorflowEngine({ kind: 'serve', model: merged, name: 'merged', adapters: {}, slots: 1 });
  const [question] = questions as [GateQuestion];
  const turns = [
    {
      role: 'user' as const,
      content: [
        { type: 'image' as const, image: (await question.image?.()) as Uint8Array },
        { type: 'text' as const, text: question.question },
      ],
    },
  ];
  const ids: number[] = [];
  const settings = { maxTokens: MAXIMUM_TOKENS, temperature: 0, topP: 1, stop: [], seed: 1 };
  for await (const { id } of engine.generate({ model: 'merged', turns, ...settings })) ids.push(id);
  await engine.close();
  const model = await mergedWith('generation_config.json', (content) => ({ ...content, eos_token_id: [ids[2]] }));
  const { difference } = compared(await answersOf('served', model));
  expect(difference).toMatchObject({ problem: expect.stringMatching(/^base \+ adapter writes ".*", served "/) });
});

vi.setConfig(TORCH_TIMEOUTS);

describe.skipIf(!torchIsSetUp)('served by transformers', () => {
  /** What a server of transformers with these files answers. */
  async function served(model: string, mode: 'scores' | 'texts' = 'scores'): Promise<Answers> {
    const script = fileURLToPath(new URL('transformers-server.py', import.meta.url));
    const server = spawn(await pythonOfSetup('torch'), [script, model, mode], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void server.kill('SIGKILL'));
    const [port] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
    const asked = mixture.samples.slice(0, 6).map(({ id, image, prompt }) => ({
      question_id: id,
      image,
      question: prompt,
      answerStart: '',
      answers: choices,
      generate: { question: prompt, maximumNewTokens: MAXIMUM_TOKENS },
    }));
    const answers = await askServer(asked, {
      url: `http://127.0.0.1:${port}/v1`,
      exif: 'apply',
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
    return { name: 'the served model', answers };
  }

  test('it gives the same answer, by the files of merged/ alone', async () => {
    const result = compared(await served(merged));
    expect(result.difference).toBeUndefined();
    expect(result).toMatchObject({ compared: 'losses and texts', sameChoices: 6 });
    expect(result.largestLossDifference).toBeLessThan(1e-3);
  });

  test('another chat template is found', async () => {
    const model = path.join(folder, 'template');
    await cp(merged, model, { recursive: true });
    const template = path.join(model, 'chat_template.jinja');
    const text = await readFile(template, 'utf8');
    await writeFile(template, text.replaceAll('USER: ', 'Question: '));
    expect(compared(await served(model)).difference?.problem).toMatch(/^the loss of choice \d is/);
  });

  test('a server without scores of prompts is compared by its texts alone, which the result says', async () => {
    const right = compared(await served(merged, 'texts'));
    expect(right).toMatchObject({ compared: 'texts', questions: 6 });
    expect(right).not.toHaveProperty('largestLossDifference');
    expect(right.difference).toBeUndefined();
    const model = await mergedWith('preprocessor_config.json', (content) => ({ ...content, image_mean: [-3, 0.5, 4] }));
    const wrong = compared(await served(model, 'texts'));
    expect(wrong.difference?.problem).toMatch(/^base \+ adapter writes ".*", the served model "/);
  });
});
