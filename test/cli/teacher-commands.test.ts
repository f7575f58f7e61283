/**
 * The commands about the teacher's cost, as a person types them: against a real server, a worker and a local teacher.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { writeGenerationRun } from '../../bench/support/generation-run.ts';
import { startLocalTeacher } from '../../demo/local-teacher/server.ts';
import { appendToLedger, readLedger } from '../../src/teacher/ledger.ts';
import { generationProgressQuery } from '../../workflows/messages.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from '../workflows/environment.ts';
import { cpuAndTeacherActivities } from '../workflows/worker-activities.ts';

const launcher = fileURLToPath(new URL('../../bin/dataengine.mjs', import.meta.url));
const requests = 40;
let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

function dataengine(...input: string[]): Promise<{ code: number; output: string; errors: string }> {
  const env = { ...process.env, TEMPORAL_ADDRESS: environment.temporal.address };
  return new Promise((resolve) => {
    execFile(process.execPath, [launcher, ...input], { env }, (error, output, errors) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output, errors });
    });
  });
}

async function setUp(settings: Record<string, unknown> = {}) {
  const teacher = await startLocalTeacher({ seed: 7 });
  onTestFinished(() => teacher.close());
  const context = await writeGenerationRun(await temporaryFolder(), requests, {
    model: 'gpt-4',
    baseUrl: teacher.baseUrl,
    chunkRequests: 10,
    ...settings,
  });
  return { teacher, context, config: join(context.run.root, 'config.json') };
}

/** Starts a generation that can't afford all it is to ask, and waits until it says so. */
async function waitingGeneration(work: (workflowId: string, result: Promise<unknown>) => Promise<void>) {
  const { context, teacher } = await setUp({ budget: { limit: 0.6 } });
  const taskQueue = context.run.root;
  const workflowId = `${context.run.root}/round-1/generation`;
  const worker = await createWorker(environment, taskQueue, cpuAndTeacherActivities());
  await worker.runUntil(async () => {
    const handle = await environment.temporal.client.workflow.start('dataEngineGeneration', {
      taskQueue,
      workflowId,
      args: [{ runDirectory: context.run.root, round: 1, queues: { cpu: taskQueue, teacher: taskQueue } }],
    });
    await expect
      .poll(async () => (await handle.query(generationProgressQuery)).state, { timeout: 60_000 })
      .toBe('waiting for a top-up');
    await work(workflowId, handle.result());
  });
  return { context, teacher };
}

describe('estimate', () => {
  test('prints requests, tokens, cost, time and budget, and sends no request', async () => {
    const { teacher, config, context } = await setUp({ limits: { requestsPerMinute: 10 }, budget: { limit: 5 } });
    const { code, output } = await dataengine('estimate', '--config', config, '--round', '1');
    expect(code).toBe(0);
    const [, tokens = 0] = /prompt tokens: +(\d+)/.exec(output) ?? [];
    const [, answers = 0] = /answer tokens: +(\d+)/.exec(output) ?? [];
    const [, cost, most] = /cost: +([\d.]+) USD, ([\d.]+) USD at most; spent so far 0\.00 USD/.exec(output) ?? [];
    expect(output).toMatch(/^round 1: 40 requests to local rules \(online\)$/m);
    expect(Number(cost)).toBeCloseTo((Number(tokens) * 30 + Number(answers) * 60) / 1e6, 1);
    expect(Number(most)).toBeGreaterThan(Number(cost));
    expect(output).toMatch(/time: +at least 4\.0 minutes/);
    expect(output).toMatch(/budget: +5 USD/);
    await appendToLedger(context.run.root, { kind: 'top_up', at: '2026-01-01T00:00:00Z', id: 'one', amount: 20 });
    const toppedUp = await dataengine('estimate', '--config', config, '--round', '1');
    expect(toppedUp.output).toMatch(/budget: +25 \(5 of the config, 20 topped up\) USD/);
    expect(teacher.counts().requests).toBe(0);
    expect((await readLedger(context.run.root)).calls).toBe(0);
  });

  test('needs no key, and a teacher that is free costs nothing', async () => {
    const { config } = await setUp({ provider: 'openai', apiKeyVariable: 'NO_SUCH_KEY' });
    expect((await dataengine('estimate', '--config', config)).output).toMatch(/cost: +[\d.]+ USD/);
    const free = await setUp({ provider: 'local' });
    expect((await dataengine('estimate', '--config', free.config)).output).toMatch(/cost: +none: this teacher is free/);
  });

  test('reports that the cost of a model without a price is unknown', async () => {
    const { config } = await setUp({ model: 'home-made', provider: 'openai' });
    const { output } = await dataengine('estimate', '--config', config);
    expect(output).toMatch(/cost: +unknown: .*prices\.yaml has no price for home-made/);
  });

  test('of a round that has drawn no requests says which step comes first', async () => {
    const { config } = await setUp();
    const { code, errors } = await dataengine('estimate', '--config', config, '--round', '2');
    expect(code).toBe(2);
    expect(errors).toMatch(/sample/);
  });
});

describe('top-up', () => {
  test('adds to the budget of a generation that waits, which then continues', async () => {
    const { context, teacher } = await waitingGeneration(async (workflowId, result) => {
      expect(await dataengine('top-up', workflowId, '10')).toMatchObject({
        code: 0,
        output: 'The budget is now 10.6\n',
      });
      expect(await result).toMatchObject({ answers: requests, unanswered: 0 });
    });
    expect(teacher.counts()).toMatchObject({ answered: requests, repeated: 0 });
    expect(await readLedger(context.run.root)).toMatchObject({ toppedUp: 10 });
  });

  test('refuses an amount that is none, and a workflow that is not there', async () => {
    expect(await dataengine('top-up', 'nowhere/round-1/generation', 'much')).toMatchObject({
      code: 2,
      errors: expect.stringMatching(/greater than 0/),
    });
    expect(await dataengine('top-up', 'nowhere/round-1/generation', '5')).toMatchObject({
      code: 2,
      errors: expect.stringMatching(/No running workflow has the id nowhere\/round-1\/generation/),
    });
  });
});

test('finish-early ends the asking, and the answers there are go on', async () => {
  let outcome: unknown;
  const { teacher } = await waitingGeneration(async (workflowId, result) => {
    expect(await dataengine('finish-early', workflowId)).toMatchObject({
      code: 0,
      output: `${workflowId}: no further requests; the round continues with the answers so far\n`,
    });
    outcome = await result;
  });
  const { answered } = teacher.counts();
  expect(answered).toBeGreaterThan(0);
  expect(outcome).toMatchObject({ answers: answered, unanswered: requests - answered });
});
