/** The step `check-serving` with the real trainer, engine and server. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { projectFile } from '../../src/core/files.ts';
import { workerSettingsVariable } from '../../src/core/worker-settings.ts';
import { checkServing } from '../../src/round/check-serving/check-serving.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { merge } from '../../src/round/merge/merge.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { writeTinyModel } from '../helpers/tiny-model.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

let folder: string;
let context: StepContext;
const inRound = (name: string) => join(context.run.root, 'round-0', name);
const comparison = async () => JSON.parse(await readFile(inRound('check-serving/comparison.json'), 'utf8'));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'check-serving-'));
  await writeTinyModel(join(folder, 'base'));
  await writeTinyModel(join(folder, 'other'), { seed: 2 });
  const file = await writeTinyRun(folder, (config) => ({
    ...config,
    model: { path: join(folder, 'base') },
    gate: { serving: { questions: 5, maximumTokens: 6 } },
  }));
  const { trainer: _, ...real } = await tinyContext(file);
  context = real;
  await finetune(context);
  await merge(context);
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

test('merged/ says how its model is asked', async () => {
  const { outputs } = JSON.parse(await readFile(inRound('merged/manifest.json'), 'utf8'));
  expect(Object.keys(outputs)).toEqual(expect.arrayContaining(['chat_template.jinja', 'generation_config.json']));
});

test('base and adapter, merged and served model give one answer, and nothing is asked twice', async () => {
  const phases: (string | undefined)[] = [];
  const outcome = await checkServing({ ...context, onProgress: ({ phase }) => phases.push(phase) });
  expect(outcome).toMatchObject({ questions: 5, reused: false });
  expect(outcome.largestLossDifference).toBeLessThan(1e-3);
  expect(phases).toEqual(expect.arrayContaining(['base + adapter', 'served']));
  const { comparisons } = await comparison();
  expect(comparisons).toEqual([
    expect.objectContaining({
      between: ['base + adapter', 'the merged model'],
      compared: 'losses and texts',
      sameChoices: 5,
    }),
    expect.objectContaining({
      between: ['base + adapter', 'the served model'],
      compared: 'losses and texts',
      sameChoices: 5,
    }),
  ]);
  expect(await checkServing(context)).toMatchObject({ questions: 5, reused: true });
});

test('a merged model that is another one stops the round with the first difference, until it is mended', async () => {
  const file = inRound('merged/preprocessor_config.json');
  const right = await readFile(file, 'utf8');
  await rm(inRound('check-serving'), { recursive: true });
  await writeFile(file, JSON.stringify({ ...JSON.parse(right), image_mean: [0.1, 0.9, 0.4] }));
  const failure = await checkServing(context).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    name: 'InputError',
    file: inRound('check-serving/comparison.json'),
    problem: expect.stringMatching(/^the loss of choice \d is \S+ of base \+ adapter and \S+ of the merged model/),
  });
  const { comparisons } = await comparison();
  expect(comparisons[0].difference.question).toBe((failure as { field: string }).field);
  await writeFile(file, right);
  expect(await checkServing(context)).toMatchObject({ questions: 5, reused: false });
});

test('a server of the worker settings is asked in place of ours, and what it serves otherwise is found', async () => {
  const served = async (model: string) => {
    const file = join(folder, 'worker.yaml');
    const command = [process.execPath, projectFile('bin/dataengine.mjs'), 'serve', model, '--port', '{port}'];
    await writeFile(file, JSON.stringify({ serve: { named: { command: [...command, '--name', '{model}'] } } }));
    vi.stubEnv(workerSettingsVariable, file);
    onTestFinished(() => void vi.unstubAllEnvs());
    const evaluate = { ...context.config.evaluate, engine: 'endpoint' as const, serve: 'named' };
    return checkServing({ ...context, config: { ...context.config, evaluate } });
  };
  expect(await served('{model}')).toMatchObject({ questions: 5, reused: false });
  await expect(served(join(folder, 'other'))).rejects.toMatchObject({
    name: 'InputError',
    problem: expect.stringContaining('of the served model'),
  });
});

test('without the key there is nothing to do, which the error says', async () => {
  const { serving: _, ...gate } = context.config.gate;
  const without = { ...context, config: { ...context.config, gate } };
  await expect(checkServing(without)).rejects.toMatchObject({ name: 'InputError', field: 'gate.serving' });
});
