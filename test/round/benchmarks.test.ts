/**
 * MMBench, SEED-Bench and questions of your own through the evaluate step, with a real (tiny) model and the real trainer.
 */
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runStepOnce } from '../../src/core/manifest.ts';
import { readScores } from '../../src/evaluation/evaluation-files.ts';
import { evaluate, evaluateShard, joinShards } from '../../src/round/evaluate/evaluate.ts';
import { evaluateModel } from '../../src/round/evaluate/evaluate-model.ts';
import {
  askQuestions,
  evaluationSets,
  extractedImagesFolder,
  readEvaluationSet,
  requireEvaluationSet,
} from '../../src/round/evaluation-sets.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { stepDirectory } from '../../src/round/step-directory.ts';
import { readLedger } from '../../src/teacher/ledger.ts';
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import { mmbenchRows, plainImage, writeSeedBench, writeTable } from '../evaluation/benchmarks/official-files.ts';
import { writeTinyModel } from '../helpers/tiny-model.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

let folder: string;
let context: StepContext;
const image = '1454426_2591111986';
const ownQuestions = [
  { id: 'n-1', image, question: 'How many towels?', answer: 4 },
  { id: 'n-2', image, question: 'Which room?', choices: ['bath', 'kitchen', 'hall'], answer: 'bath' },
  { id: 'n-3', image, question: 'How many doors?', answer: ['1', 'one'] },
];
const bootstrap = { samples: 200, seed: 7 };
const file = (...parts: string[]) => join(context.run.root, 'round-0', ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'benchmarks-'));
  const benchmarks = [
    { benchmark: 'mmbench', file: 'MMBench/mmbench_dev.tsv' },
    { benchmark: 'seed-bench', file: 'SEED-Bench/SEED-Bench.json', images: 'SEED-Bench/SEED-Bench-image' },
    {
      benchmark: 'questions',
      file: 'own.jsonl',
      images: 'SEED-Bench/SEED-Bench-image',
      questions: { metric: 'relaxed-accuracy', tolerance: 0.1, instruction: 'Answer with a number.' },
    },
  ];
  const evaluateSettings = { shards: 3, batchSize: 4, benchmarks, bootstrapSamples: bootstrap.samples };
  const config = await writeTinyRun(folder, ({ data: { test: _, ...data }, ...settings }) => ({
    ...settings,
    data,
    evaluate: evaluateSettings,
  }));
  await writeTable(join(folder, 'data', 'MMBench', 'mmbench_dev.tsv'), await mmbenchRows());
  await writeSeedBench(join(folder, 'data', 'SEED-Bench'));
  await writeFile(
    join(folder, 'data', 'own.jsonl'),
    ownQuestions.map((question) => JSON.stringify(question)).join('\n'),
  );
  context = await tinyContext(config);
  const directory = stepDirectory(context.run, 0, 'merge');
  await runStepOnce({
    directory,
    step: 'merge',
    inputs: {},
    work: async () => {
      await writeTinyModel(directory);
      const outputs = (await readdir(directory)).filter(
        (name) => /\.(json|safetensors)$/.test(name) && name !== 'started.json',
      );
      return { outputs, metrics: {} };
    },
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The same questions without shards, outside of the run. */
async function alone(name: string) {
  return evaluateModel({
    set: requireEvaluationSet(context.config, context.run, name),
    model: file('merged'),
    output: join(folder, 'alone', name),
    batchSize: 4,
    numberFormats: { computeDtype: 'float32', weightDtype: 'float32' },
    bootstrap,
    context: { ...context, trainer: typescriptTrainer() },
  });
}

test('three shards give the same scores as one, for every benchmark of the config', async () => {
  for (const set of ['mmbench', 'seed-bench', 'questions']) {
    const real = { ...context, trainer: typescriptTrainer() };
    for (const shard of [0, 1, 2]) await evaluateShard(real, { set, shard });
  }
  // The validation questions with a pretend trainer: here the model is of no matter.
  for (const shard of [0, 1, 2]) await evaluateShard(context, { set: 'validation', shard });
  const outcome = await joinShards(context);
  expect(outcome).toMatchObject({ questions: 8, reused: false });
  expect(await joinShards(context)).toMatchObject({ reused: true });

  for (const set of ['mmbench', 'seed-bench', 'questions']) {
    const { asked, measures, questions, weights } = await readScores(file('evaluate', set));
    expect(await alone(set)).toMatchObject({ asked, measures, questions, weights });
  }
}, 600_000);

test.each(['ranked', 'generated'] as const)(
  'MMMU, whose questions show several images: %s',
  async (answerMode) => {
    const images = join(folder, 'mmmu');
    const source = 'test/fixtures/benchmarks/mmmu/validation.jsonl';
    const names = (await readFile(source, 'utf8')).match(/\d+_\d\.png/g) ?? [];
    await mkdir(images, { recursive: true });
    for (const [index, name] of names.entries()) {
      await writeFile(join(images, name), await plainImage(index % 2 === 0 ? 'red' : 'blue'));
    }
    const set = { name: 'mmmu', benchmark: 'mmmu', file: source, images, limit: 8, blind: false, answerMode } as const;
    const asked = askQuestions(set, await readEvaluationSet(set, '/none'));
    expect(asked.filter(({ laterImages }) => laterImages !== undefined).length).toBeGreaterThan(0);
    const { measures } = await evaluateModel({
      set,
      model: file('merged'),
      output: join(folder, `mmmu-${answerMode}`),
      batchSize: 4,
      numberFormats: { computeDtype: 'float32', weightDtype: 'float32' },
      bootstrap,
      context: { ...context, trainer: typescriptTrainer() },
    });
    expect(measures.accuracy?.count).toBe(8);
  },
  600_000,
);

test('questions about one image are in one shard, unless a shard ends between them', async () => {
  const imagesOf = async (shard: number) => {
    const text = await readFile(file('evaluate-shards', `mmbench-${shard}-of-3`, 'questions.jsonl'), 'utf8');
    const lines = text.trim().split('\n');
    return new Set(lines.map((line) => (JSON.parse(line) as { image: string }).image));
  };
  const parts = await Promise.all([0, 1, 2].map(imagesOf));
  const distinct = new Set(parts.flatMap((part) => [...part]));
  expect(distinct.size).toBeGreaterThan(1);
  const computed = parts.reduce((sum, part) => sum + part.size, 0);
  expect(computed).toBeLessThanOrEqual(distinct.size + parts.length - 1);
});

test('questions of your own: choices are ranked, short answers are written, and both are scored', async () => {
  const { measures, unanswered } = await readScores(file('evaluate', 'questions'));
  expect(Object.keys(measures)).toEqual(['accuracy', 'multipleChoice', 'relaxedAccuracy']);
  expect(Object.values(measures).map(({ count }) => count)).toEqual([3, 1, 2]);
  expect(unanswered).toBe(0);
  const lines = (await readFile(file('evaluate', 'questions', 'predictions.jsonl'), 'utf8')).trim().split('\n');
  const predictions = lines.map((line) => JSON.parse(line) as { losses: number[]; text?: string });
  expect(predictions.map(({ losses, text }) => [losses.length, typeof text])).toEqual([
    [0, 'string'],
    [3, 'undefined'],
    [0, 'string'],
  ]);
});

test('another right answer in the file is scored anew, though the model is asked the same', async () => {
  const own = join(folder, 'data', 'own.jsonl');
  const before = await readFile(own, 'utf8');
  const real = { ...context, trainer: typescriptTrainer() };
  try {
    await writeFile(own, before.replace('"answer":"bath"', '"answer":"hall"'));
    for (const shard of [0, 1, 2]) await evaluateShard(real, { set: 'questions', shard });
    expect(await joinShards(context)).toMatchObject({ reused: false });
  } finally {
    await writeFile(own, before);
    for (const shard of [0, 1, 2]) await evaluateShard(real, { set: 'questions', shard });
    await joinShards(context);
  }
}, 120_000);

test('each benchmark has its own measures, by group, and official files', async () => {
  const mmbench = await readScores(file('evaluate', 'mmbench'));
  expect(mmbench).toMatchObject({ title: 'MMBench', blind: false, questions: 9 });
  expect(Object.keys(mmbench.measures)).toEqual(['circular', 'vanilla', 'lenientCircular', 'lenientVanilla']);
  expect(mmbench.measures.circular).toMatchObject({
    count: 3,
    groups: { category: { attribute_recognition: { count: 2 } }, 'l2-category': { perception: { count: 3 } } },
  });
  const seed = await readScores(file('evaluate', 'seed-bench'));
  expect(seed.measures.accuracy).toMatchObject({
    count: 4,
    groups: { dimension: { 'Instance Attributes': { count: 2 }, 'Instances Counting': { count: 2 } } },
  });
  expect(await readdir(file('evaluate', 'mmbench'))).toContain('mmbench-submission.xlsx');
  expect(await readdir(file('evaluate', 'seed-bench'))).toContain('results.json');
  const predictions = (await readFile(file('evaluate', 'mmbench', 'predictions.jsonl'), 'utf8')).trim().split('\n');
  expect(predictions.map((line) => JSON.parse(line).question_id).slice(0, 4)).toEqual(['0', '7', '12', '1000000']);
  // The model writes its answers; those in which no choice is found are counted.
  const answers = predictions.map((line) => JSON.parse(line) as { text?: string; choice?: number; losses: number[] });
  for (const { text, losses } of answers) expect([typeof text, losses]).toEqual(['string', []]);
  expect(mmbench.unanswered).toBe(answers.filter(({ choice }) => choice === undefined).length);
});

test('the scores of the validation questions are beside their answers', async () => {
  expect(await readScores(file('evaluate'))).toMatchObject({ set: 'validation', questions: 8 });
  expect(JSON.parse(await readFile(file('evaluate', 'aokvqa_eval.json'), 'utf8'))).toHaveLength(8);
});

test('a blind set reads no images: the model gets the text of the questions only', async () => {
  const set = { ...requireEvaluationSet(context.config, context.run, 'seed-bench'), blind: true };
  const questions = await readEvaluationSet(set, extractedImagesFolder(context.run));
  expect(askQuestions(set, questions)[0]).toEqual({
    question_id: '101669',
    question: 'How many towels are in the image?\n',
    answerStart: '',
    answers: ['One', 'Two', 'Three', 'Four or more of them'],
  });
});

test('a blind set has a name of its own', () => {
  const [, seed] = context.config.evaluate.benchmarks;
  const benchmarks = seed === undefined ? [] : [seed, { ...seed, blind: true }];
  const config = { ...context.config, evaluate: { ...context.config.evaluate, benchmarks } };
  expect(evaluationSets(config, context.run).map(({ name }) => name)).toEqual([
    'validation',
    'seed-bench',
    'seed-bench-blind',
  ]);
});

test('MMBench is ranked, and direct answers are written, where the config says so', async () => {
  const { evaluate: settings } = context.config;
  const asked = async (name: string, changes: Partial<typeof settings> = {}) => {
    const config = { ...context.config, evaluate: { ...settings, ...changes } };
    const set = requireEvaluationSet(config, context.run, name);
    const [first] = askQuestions(set, await readEvaluationSet(set, extractedImagesFolder(context.run)));
    return { ranks: first?.answers.length !== 0, writes: first?.generate !== undefined };
  };
  expect(await asked('mmbench')).toEqual({ ranks: false, writes: true });
  const ranked = settings.benchmarks.map((entry) => ({ ...entry, answers: 'ranked' as const }));
  expect(await asked('mmbench', { benchmarks: ranked })).toEqual({ ranks: true, writes: false });
  expect(await asked('validation')).toEqual({ ranks: true, writes: false });
  expect(await asked('validation', { directAnswers: 'generated' })).toEqual({ ranks: true, writes: true });
  expect(await asked('seed-bench', { directAnswers: 'generated' })).toEqual({ ranks: true, writes: false });
});

test('two benchmarks with the same name are refused before anything is scored', async () => {
  const [first] = context.config.evaluate.benchmarks;
  const benchmarks = [first, first].flatMap((entry) => (entry === undefined ? [] : [entry]));
  const config = { ...context.config, evaluate: { ...context.config.evaluate, benchmarks } };
  await expect(evaluate({ ...context, config })).rejects.toThrow(
    "evaluate.benchmarks[1].name: 'mmbench' is also the name of another set",
  );
});

/** A teacher over HTTP that replies `A` to whatever it is asked. */
async function withTeacherOfOneLetter<R>(work: (baseUrl: string, asked: string[]) => Promise<R>): Promise<R> {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const { messages } = (await json(request)) as { messages: { content: string }[] };
    asked.push(messages.at(-1)?.content ?? '');
    response.setHeader('content-type', 'application/json');
    const choices = [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'A' } }];
    const usage = { prompt_tokens: 100, completion_tokens: 1, total_tokens: 101 };
    response.end(JSON.stringify({ id: '1', object: 'chat.completion', created: 0, model: 'gpt-4', choices, usage }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, asked);
  } finally {
    server.close();
  }
}

test('answers in which the rules find no choice are extracted by the teacher, each once, and the cost is recorded', async () => {
  const before = await readScores(file('evaluate', 'mmbench'));
  expect(before.lenientUnanswered).toBeGreaterThan(0);
  await withTeacherOfOneLetter(async (baseUrl, asked) => {
    const teacher = { ...context.config.teacher, provider: 'openai', model: 'gpt-4', baseUrl } as const;
    const taught = { ...context, config: { ...context.config, teacher } };
    process.env.OPENAI_API_KEY ??= 'none';
    expect(await joinShards(taught)).toMatchObject({ reused: false });
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.length).toBeLessThanOrEqual(before.lenientUnanswered as number);
    expect(asked[0]).toMatch(/Options: A\. .*\nAnswer: /);
    // Exact matching, which the official figures are by, asks nobody.
    expect(await readScores(file('evaluate', 'mmbench'))).toMatchObject({
      lenientUnanswered: 0,
      unanswered: before.unanswered,
    });

    const replies = (await readFile(join(context.run.root, 'extracted-choices.jsonl'), 'utf8')).trim().split('\n');
    expect(replies).toHaveLength(asked.length);
    expect(await readLedger(context.run.root)).toMatchObject({ calls: asked.length, completionTokens: asked.length });

    // Done again for another seed of the intervals, nothing is asked again.
    const calls = asked.length;
    const again = { ...taught, config: { ...taught.config, seed: taught.config.seed + 1 } };
    expect(await joinShards(again)).toMatchObject({ reused: false });
    expect(asked).toHaveLength(calls);
  });
}, 120_000);
