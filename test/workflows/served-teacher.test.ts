/**
 * `teacher.serve`: a GPU worker starts the teacher's server, asks the chunks and stops it. Real activities, a real Temporal
 * server, GPU workers and teachers as processes.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { createGpuActivities } from '../../activities/gpu.ts';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { writeGenerationRun } from '../../bench/support/generation-run.ts';
import { runningWith } from '../../bench/support/processes.ts';
import { teacherSchema } from '../../src/config/teacher-schema.ts';
import { loadWorkerSettings, workerSettingsVariable } from '../../src/core/worker-settings.ts';
import { generate } from '../../src/round/generate/generate.ts';
import type { GenerateOutcome } from '../../src/round/generate/results.ts';
import { generationFolder } from '../../src/round/generate/work.ts';
import { questionTypesOf } from '../../src/round/question-types.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { readLedger } from '../../src/teacher/ledger.ts';
import { finishEarlyUpdate, generationProgressQuery, topUpUpdate } from '../../workflows/messages.ts';
import { steerSignal } from '../../workflows/steering-messages.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { pretendTrainerEntry } from '../round/tiny-run.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { resultLeftAlone, resultOf } from './generation-setup.ts';
import { startGpuWorker } from './gpu-worker-process.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';
import { cpuAndTeacherActivities, dependencies } from './worker-activities.ts';

let environment: WorkflowTestEnvironment;
let expected: string;

const requests = 40;
const model = 'local-teacher';
const settings = { model, concurrency: 4, chunkRequests: 10 };
const program = fileURLToPath(new URL('served-teacher-process.ts', import.meta.url));

beforeAll(async () => {
  environment = await startEnvironment();
  expected = await resultLeftAlone({ requests, settings });
}, 300_000);

afterAll(() => environment?.temporal.teardown());

/** A run with `teacher.serve`, and the settings of a worker that has the server. */
async function setUp({ delay = 0, teacher = {}, serve }: { delay?: number; teacher?: object; serve?: object } = {}) {
  const folder = await temporaryFolder();
  const log = join(folder, 'asked.log');
  const prices = join(folder, 'prices.yaml');
  await writeFile(prices, `currency: EUR\nmodels:\n  ${model}: { input: 30, output: 60 }\n`);
  const context = await writeGenerationRun(folder, requests, {
    ...settings,
    ...{ provider: 'openai', serve: 'teacher', prices },
    ...teacher,
  });
  const command = [process.execPath, '--import', 'tsx', program, '{port}', log, String(delay)];
  const file = join(folder, 'worker.yaml');
  const access = { configs: [tmpdir(), process.cwd()], data: ['/'], runs: [tmpdir()], cache: join(folder, 'cache') };
  await writeFile(file, JSON.stringify({ ...access, serve: serve ?? { teacher: { command, readySeconds: 60 } } }));
  vi.stubEnv(workerSettingsVariable, file);
  onTestFinished(() => void vi.unstubAllEnvs());
  const linesOf = async (kind: string) =>
    (await readFile(log, 'utf8').catch(() => '')).split('\n').filter((line) => line.startsWith(kind));
  return { folder, log, context, linesOf };
}

/** The workflow, and GPU workers as processes. */
async function onTemporal({ folder, context }: { folder: string; context: StepContext }) {
  const startWorker = async () => {
    const worker = await startGpuWorker({
      folder,
      address: environment.temporal.address,
      taskQueue: context.config.temporal.taskQueues.gpu,
      trainerEntry: pretendTrainerEntry,
    });
    onTestFinished(() => worker.stop());
    return worker;
  };
  const start = () =>
    environment.temporal.client.workflow.start('dataEngineGeneration', {
      taskQueue: folder,
      workflowId: folder,
      args: [{ runDirectory: context.run.root, round: 1, queues: { cpu: folder, teacher: folder } }],
    });
  return { startWorker, start, cpu: await createWorker(environment, folder, cpuAndTeacherActivities()) };
}

type Handle = Awaited<ReturnType<Awaited<ReturnType<typeof onTemporal>>['start']>>;
const outcomeOf = (handle: Handle): Promise<GenerateOutcome> => handle.result();

/** By request: the ids of its calls, and whether it has an answer. */
async function callsOf(context: StepContext) {
  const { calls } = await generationFolder(context);
  const names = (await readdir(calls).catch(() => [])).filter((name) => name.endsWith('.jsonl'));
  const texts = await Promise.all(names.map((name) => readFile(join(calls, name), 'utf8')));
  const lines = texts.flatMap((text) =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
  );
  const requestOf = new Map<string, string>();
  const answered = new Set<string>();
  for (const { kind, call, request_id, answer } of lines) {
    if (kind === 'sent') requestOf.set(call, request_id);
    if (kind === 'answer') answered.add(answer.request_id);
  }
  return { requestOf, answered };
}

/** How often each request reached a server. */
async function timesAsked(context: StepContext, asked: readonly string[]): Promise<Map<string, number>> {
  const { requestOf } = await callsOf(context);
  const times = new Map<string, number>();
  for (const line of asked) {
    const request = requestOf.get(line.split(' ')[1] as string) as string;
    times.set(request, (times.get(request) ?? 0) + 1);
  }
  return times;
}

test('by hand, the server is started for the requests, gets no key, and is stopped', async () => {
  const { context, linesOf, log } = await setUp();
  vi.stubEnv('OPENAI_API_KEY', 'sk-of-somebody');
  expect(await generate(context)).toMatchObject({ answers: requests, unanswered: 0, reused: false });
  expect(await resultOf(context)).toBe(expected);
  expect(await linesOf('started')).toHaveLength(1);
  const asked = await linesOf('asked');
  expect(asked).toHaveLength(requests);
  expect(asked.every((line) => line.endsWith(' Bearer none'))).toBe(true);
  expect(await runningWith(log)).toEqual([]);
  expect(await generate(context)).toMatchObject({ reused: true });
  expect(await linesOf('started')).toHaveLength(1);
});

test.each([
  [{ baseUrl: 'http://127.0.0.1:1/v1' }, 'baseUrl'],
  [{ provider: 'local' }, 'provider'],
  [{ mode: 'batch' }, 'mode'],
  [{ apiKeyFile: 'key' }, 'apiKeyFile'],
  [{ storeAnswers: true }, 'storeAnswers'],
  [{ serve: { command: ['sh'] } }, 'serve'],
])('a config with teacher.serve and %j is refused', (others, field) => {
  const problems = teacherSchema.safeParse({ serve: 'teacher', ...others }).error?.issues ?? [];
  expect(problems.map(({ path }) => path.join('.'))).toEqual([field]);
});

test.each([
  [{ other: { command: ['x', '{port}'] } }, 'teacher.serve', 'this worker has no server teacher'],
  [{ teacher: { command: ['x', '{model}', '{port}'] } }, 'serve.teacher.command', 'has {model}'],
])('a worker with the servers %j refuses', async (serve, field, problem) => {
  const { context } = await setUp({ serve });
  await expect(generate(context)).rejects.toMatchObject({
    ...{ name: 'InputError', field, problem: expect.stringContaining(problem) },
  });
});

test('a server with another model is refused, and stopped', async () => {
  const { context, log } = await setUp({ teacher: { model: 'qwen' } });
  await expect(generate(context)).rejects.toMatchObject({
    ...{ name: 'InputError', field: 'teacher.model', remedy: 'It lists local-teacher' },
  });
  expect(await runningWith(log)).toEqual([]);
});

test('after kill -9 of the GPU worker no server is left, chunks wait for the next one, and none is paid or asked twice', async () => {
  const run = await setUp({ delay: 150 });
  const { context, linesOf, log } = run;
  const { start, startWorker, cpu } = await onTemporal(run);
  await cpu.runUntil(async () => {
    const first = await startWorker();
    const handle = await start();
    // In the middle of the second of four chunks.
    await until(async () => (await callsOf(context)).answered.size >= 13);
    process.kill(first.pid, 'SIGKILL');
    await first.ended;
    await vi.waitFor(async () => expect(await runningWith(log)).toEqual([]), { timeout: 20_000 });
    const { answered } = await callsOf(context);
    const before = await linesOf('asked');
    expect(answered.size).toBeLessThan(requests);
    await startWorker();
    expect(await outcomeOf(handle)).toMatchObject({ answers: requests, unanswered: 0 });
    const asked = await linesOf('asked');
    const times = await timesAsked(context, asked);
    // What was open when the worker died is asked again, and nothing else.
    expect([...answered].map((id) => times.get(id))).toEqual([...answered].map(() => 1));
    expect(times.size).toBe(requests);
    expect(asked.length - requests).toBe(before.length - answered.size);
    expect(asked.length - requests).toBeLessThanOrEqual(settings.concurrency);
  });
  expect(await linesOf('started')).toHaveLength(2);
  expect(await runningWith(log)).toEqual([]);
  expect(await resultOf(context)).toBe(expected);
  const ledger = await readLedger(context.run.root);
  const sources = [...ledger.bySource.values()];
  const sum = (key: 'calls' | 'failedCalls' | 'lostCalls') => sources.reduce((total, one) => total + one[key], 0);
  expect(sum('calls') - sum('lostCalls')).toBe(requests);
  expect(sources).toHaveLength(requests / settings.chunkRequests);
});

test('a pause stops the server and frees the GPU; the answers so far are kept', async () => {
  const run = await setUp({ delay: 100 });
  const { context, linesOf, log } = run;
  const { start, startWorker, cpu } = await onTemporal(run);
  await cpu.runUntil(async () => {
    await startWorker();
    const handle = await start();
    await until(async () => (await callsOf(context)).answered.size >= 13);
    await handle.signal(steerSignal, { paused: {} });
    await until(async () => (await handle.query(generationProgressQuery)).state === 'paused');
    expect(await runningWith(log)).toEqual([]);
    const { answered } = await callsOf(context);
    await handle.signal(steerSignal, { paused: null });
    expect(await outcomeOf(handle)).toMatchObject({ answers: requests, unanswered: 0 });
    const times = await timesAsked(context, await linesOf('asked'));
    expect([...answered].map((id) => times.get(id))).toEqual([...answered].map(() => 1));
  });
  expect(await resultOf(context)).toBe(expected);
});

test('with a used-up budget no server is held: the generation waits for a top-up, or ends with the answers there are', async () => {
  const limit = 0.5;
  const run = await setUp({ teacher: { budget: { limit } } });
  const { context, log } = run;
  const { start, startWorker, cpu } = await onTemporal(run);
  await cpu.runUntil(async () => {
    await startWorker();
    const handle = await start();
    const waits = async () => (await handle.query(generationProgressQuery)).state === 'waiting for a top-up';
    await until(waits);
    expect(await runningWith(log)).toEqual([]);
    const { answered } = await callsOf(context);
    expect(answered.size).toBeGreaterThan(settings.chunkRequests);
    expect(answered.size).toBeLessThan(requests);
    expect((await readLedger(context.run.root)).cost).toBeLessThanOrEqual(limit);
    await handle.executeUpdate(topUpUpdate, { args: [{ amount: 0.3 }] });
    await until(async () => (await callsOf(context)).answered.size > answered.size);
    await until(waits);
    expect((await readLedger(context.run.root)).cost).toBeLessThanOrEqual(limit + 0.3);
    await handle.executeUpdate(finishEarlyUpdate);
    const outcome = await outcomeOf(handle);
    expect(outcome.answers).toBe((await callsOf(context)).answered.size);
    expect(outcome.answers + outcome.unanswered).toBe(requests);
  });
});

test('question types are asked of it too, by a server that is started where a question is open, and on a GPU alone', async () => {
  const { context, linesOf, log } = await setUp();
  const questions = [{ question_id: 'q1', question: 'How many cats are there?' }];
  const onGpu = { ...context, access: await loadWorkerSettings(), holdsGpu: true };
  const types = await questionTypesOf(onGpu, questions);
  expect([...types.keys()]).toEqual(['q1']);
  expect(await linesOf('started')).toHaveLength(1);
  expect(await runningWith(log)).toEqual([]);
  expect(await questionTypesOf(onGpu, questions)).toEqual(types);
  expect(await linesOf('started')).toHaveLength(1);
  const others = [...questions, { question_id: 'q2', question: 'What is on the table?' }];
  await expect(questionTypesOf({ ...onGpu, holdsGpu: false }, others)).rejects.toMatchObject({
    ...{ name: 'InputError', field: 'teacher.serve', problem: expect.stringContaining('runs on a GPU worker') },
  });
});

test('the steps of a round that ask it run on the queue of the GPU workers', async () => {
  const calls = { cpu: [] as string[], gpu: [] as string[] };
  const queues = { cpu: 'served-round', gpu: 'served-round-gpu', teacher: 'served-round' };
  const plan = planOn('served-round', { rounds: 0, servesTeacher: true, queues });
  const cpu = await createWorker(environment, queues.cpu, fakeActivities(plan, calls.cpu));
  const gpu = await createWorker(environment, queues.gpu, fakeActivities(plan, calls.gpu));
  const run = { taskQueue: queues.cpu, workflowId: queues.cpu, args: [{ config: 'tiny.yaml' }] };
  await cpu.runUntil(gpu.runUntil(() => environment.temporal.client.workflow.execute('dataEngine', run)));
  expect(calls.gpu).toEqual(
    ['prepareData', 'finetune', 'merge', 'evaluateShard', 'evaluateShard', 'evaluate', 'classify'].map(
      (name) => `${name} 0`,
    ),
  );
  expect(calls.cpu).toContain('gate 0');
  // A GPU worker has them all.
  expect(Object.keys(createGpuActivities(dependencies))).toEqual(
    expect.arrayContaining(['evaluate', 'discover', 'classify']),
  );
});

test('a GPU worker without the server fails the generation, and names it', async () => {
  const run = await setUp({ serve: {} });
  const { start, startWorker, cpu } = await onTemporal(run);
  const failure = await cpu.runUntil(async () => {
    await startWorker();
    return outcomeOf(await start()).catch((error: Error) => error);
  });
  expect(String((failure as { cause?: { cause?: Error } }).cause?.cause?.message)).toMatch(
    /teacher\.serve.* this worker has no server teacher/,
  );
});
