/** Evaluation in rounds by a server that the worker starts. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { evaluateSchema } from '../../../src/config/evaluate-schema.ts';
import { runStepOnce } from '../../../src/core/manifest.ts';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { workerSettingsVariable } from '../../../src/core/worker-settings.ts';
import { readScores } from '../../../src/evaluation/evaluation-files.ts';
import { evaluateShard, joinShards } from '../../../src/round/evaluate/evaluate.ts';
import { readAnswers } from '../../../src/round/evaluate/results.ts';
import type { StepContext } from '../../../src/round/step-context.ts';
import { stepDirectory } from '../../../src/round/step-directory.ts';
import { evaluationAnswerSchema } from '../../../src/trainer/job-files.ts';
import { typescriptTrainer } from '../../../src/trainer/supervisor/trainer-command.ts';
import { toyCommand } from '../../evaluation/endpoint/toy-command.ts';
import { writeTinyModel } from '../../helpers/tiny-model.ts';
import { tinyContext, writeTinyRun } from '../tiny-run.ts';

let folder: string;
let context: StepContext;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serve-shard-'));
  const config = await writeTinyRun(folder, ({ data: { test: _, ...data }, ...settings }) => ({
    ...settings,
    data,
    evaluate: { engine: 'endpoint', serve: 'toy', concurrency: 2, bootstrapSamples: 100 },
  }));
  context = await tinyContext(config);
  const directory = stepDirectory(context.run, 0, 'merge');
  await runStepOnce({
    directory,
    step: 'merge',
    inputs: {},
    work: async () => {
      await writeTinyModel(directory);
      const isModel = (name: string) => /\.(json|safetensors)$/.test(name) && name !== 'started.json';
      return { outputs: (await readdir(directory)).filter(isModel), metrics: {} };
    },
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** `pgrep` ends with 1 where it finds none; that it is missing is no such answer. */
const noneFound = (error: { code?: unknown }) => {
  if (error.code !== 1) throw error;
  return { stdout: '' };
};

async function useSettings(serve: object): Promise<void> {
  const file = join(folder, 'worker.yaml');
  await writeFile(file, JSON.stringify({ serve }));
  vi.stubEnv(workerSettingsVariable, file);
  onTestFinished(() => void vi.unstubAllEnvs());
}

describe('evaluate.engine: endpoint', { timeout: 120_000 }, () => {
  test('needs the name of a server in the config, and its command in the settings of the worker', async () => {
    const problemOf = (value: object) => evaluateSchema.safeParse(value).error?.issues[0];
    expect(problemOf({ engine: 'endpoint' })).toMatchObject({ path: ['serve'], message: /^is missing: name a server/ });
    expect(problemOf({ serve: 'toy' })).toMatchObject({ path: ['serve'], message: 'is for engine: endpoint' });
    expect(problemOf({ engine: 'endpoint', serve: { command: ['sh'] } })).toMatchObject({ path: ['serve'] });
    await useSettings({ vllm: { command: ['vllm', 'serve', '{model}', '--port', '{port}'] } });
    await expect(evaluateShard(context, { set: 'validation', shard: 0 })).rejects.toMatchObject({
      name: 'InputError',
      field: 'evaluate.serve',
      problem: 'this worker has no server toy',
      remedy: expect.stringContaining('name one of vllm'),
    });
  });

  test.each([
    [{ command: ['vllm', 'serve', '{port}'] }, 'has no {model}'],
    [{ command: ['vllm', 'serve', '{model}'] }, 'has no {port}'],
  ])('a command without a place for model or port is refused: %j', async (toy, problem) => {
    await useSettings({ toy });
    await expect(evaluateShard(context, { set: 'validation', shard: 0 })).rejects.toMatchObject({
      name: 'InputError',
      field: 'serve.toy.command',
      problem: expect.stringContaining(problem),
    });
  });

  test('the server is started with the merged model, asked and stopped; scores say how choices were found', async () => {
    await useSettings({ toy: toyCommand() });
    const steps: number[] = [];
    const watched = { ...context, onProgress: ({ step }: { step: number }) => void steps.push(step) };
    await evaluateShard(watched, { set: 'validation', shard: 0 });
    // Of the eight questions there are four: what is the same is asked once.
    expect(steps.at(-1)).toBe(4);
    expect(await evaluateShard(watched, { set: 'validation', shard: 0 })).toMatchObject({ reused: true, questions: 8 });
    expect(await joinShards(context)).toMatchObject({ questions: 8 });
    const directory = stepDirectory(context.run, 0, 'evaluate');
    expect(await readScores(directory)).toMatchObject({ ranking: 'prompt-logprobs', questions: 8, unanswered: 0 });
    const answers = await readAnswers(directory);
    expect(answers.every(({ losses }) => losses.length === 4)).toBe(true);
    const shard = join(context.run.root, 'round-0', 'evaluate-shards', 'validation-0-of-1');
    const { command } = JSON.parse(await readFile(join(shard, 'job.json'), 'utf8'));
    expect(command.at(-1)).toBe(stepDirectory(context.run, 0, 'merge'));
  });
});

describe('with our own server', { timeout: 180_000 }, () => {
  test('a round has the losses that the trainer finds, and no process of it is left', async () => {
    const cli = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));
    const command = [process.execPath, '--import', 'tsx', cli, 'serve', '{model}', '--port', '{port}'];
    await useSettings({ toy: { command } });
    await rm(join(context.run.root, 'round-0', 'evaluate-shards'), { recursive: true, force: true });
    await evaluateShard(context, { set: 'validation', shard: 0 });
    const shard = join(context.run.root, 'round-0', 'evaluate-shards', 'validation-0-of-1');
    const answers = () => readJsonLines(join(shard, 'losses.jsonl'), evaluationAnswerSchema);
    const served = await answers();
    const { stdout } = await promisify(execFile)('pgrep', ['-f', folder]).catch(noneFound);
    expect(stdout).toBe('');
    const evaluate = evaluateSchema.parse({});
    const trained = { ...context, config: { ...context.config, evaluate }, trainer: typescriptTrainer() };
    await evaluateShard(trained, { set: 'validation', shard: 0 });
    for (const [index, { losses }] of (await answers()).entries()) {
      expect(served[index]?.losses).toEqual(losses.map((loss) => expect.closeTo(loss, 3)));
    }
  });
});

describe('kill -9 of the worker', { timeout: 120_000 }, () => {
  beforeEach(() => rm(join(context.run.root, 'round-0', 'evaluate-shards'), { recursive: true, force: true }));

  const processes = async () => {
    const { stdout } = await promisify(execFile)('pgrep', ['-f', `toy-server-process.*${folder}`]).catch(noneFound);
    return stdout.split('\n').filter(Boolean);
  };

  test('no server is left, and the next attempt asks only what has no answer', async () => {
    await useSettings({ toy: toyCommand(150) });
    const shard = join(context.run.root, 'round-0', 'evaluate-shards', 'validation-0-of-1');
    const worker = spawn(
      process.execPath,
      ['--import', 'tsx', 'cli/main.ts', 'evaluate', '--config', join(folder, 'tiny.yaml'), '--round', '0'],
      { stdio: 'ignore' },
    );
    onTestFinished(() => void worker.kill('SIGKILL'));
    const answered = async () => {
      const names = (await readdir(join(shard, 'calls')).catch(() => [])).filter((name) => name.startsWith('chunk-'));
      const texts = await Promise.all(names.map((name) => readFile(join(shard, 'calls', name), 'utf8')));
      return texts
        .join('')
        .split('\n')
        .filter((line) => line.includes('"kind":"answer"')).length;
    };
    while ((await answered()) < 2) await wait(20);
    worker.kill('SIGKILL');
    await once(worker, 'exit');
    await vi.waitFor(async () => expect(await processes()).toEqual([]), { timeout: 20_000 });
    const before = await answered();
    expect(before).toBeLessThan(4);
    await evaluateShard(context, { set: 'validation', shard: 0 });
    expect(await answered()).toBe(4);
    expect(await processes()).toEqual([]);
  });
});
