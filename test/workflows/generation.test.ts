/**
 * The workflow `dataEngineGeneration` with its real activities, a real server and a real teacher over HTTP.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LocalTeacherOptions } from '../../demo/local-teacher/server.ts';
import type { GenerateOutcome } from '../../src/round/generate/results.ts';
import { readLedger } from '../../src/teacher/ledger.ts';
import {
  finishEarlyUpdate,
  type GenerationProgress,
  generationProgressQuery,
  topUpUpdate,
} from '../../workflows/messages.ts';
import { startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { resultLeftAlone, resultOf, setUpGeneration } from './generation-setup.ts';

let environment: WorkflowTestEnvironment;
let expected: string;

const requests = 60;
const settings = { model: 'gpt-4', concurrency: 8, chunkRequests: 10, maxConcurrentChunks: 3 };

beforeAll(async () => {
  environment = await startEnvironment();
  expected = await resultLeftAlone({ requests, settings });
}, 300_000);

afterAll(() => environment?.temporal.teardown());

const setUp = (teacherOptions: LocalTeacherOptions, teacherSettings: Record<string, unknown> = {}) =>
  setUpGeneration(environment, { requests, settings: { ...settings, ...teacherSettings } }, teacherOptions);

type Handle = Awaited<ReturnType<Awaited<ReturnType<typeof setUp>>['start']>>;

const outcomeOf = (handle: Handle): Promise<GenerateOutcome> => handle.result();

async function waitingForTopUp(handle: Handle): Promise<GenerationProgress> {
  for (;;) {
    const progress = await handle.query(generationProgressQuery);
    if (progress.state === 'waiting for a top-up') return progress;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What the teacher itself says that a run has cost, at the prices of gpt-4. */
function costByTeacher(teacher: Awaited<ReturnType<typeof setUp>>['teacher']): number {
  const { promptTokens, completionTokens, batch } = teacher.counts();
  return (
    (promptTokens * 30 + completionTokens * 60 + batch.promptTokens * 15 + batch.completionTokens * 30) / 1_000_000
  );
}

test('every request is answered, with the answers of a single process and at the cost that the teacher counts', async () => {
  const { context, start, worker, teacher } = await setUp({});
  const outcome = await worker.runUntil(async () => outcomeOf(await start()));
  expect(outcome).toMatchObject({ answers: requests, unanswered: 0, reused: false });
  expect(await resultOf(context)).toBe(expected);
  expect(teacher.counts()).toMatchObject({ requests, answered: requests, repeated: 0 });
  expect(outcome.cost).toBeCloseTo(costByTeacher(teacher), 9);
  const ledger = await readLedger(context.run.root);
  expect(ledger.cost).toBeCloseTo(outcome.cost, 9);
});

test('faults of all kinds lose no answer, repeat none, and cost nothing that is not in the ledger', async () => {
  const rates = { rateLimited: 0.1, serverError: 0.05, cutConnection: 0.05, nonsense: 0.05 };
  const { context, start, worker, teacher } = await setUp(
    { faults: { rates, retryAfterSeconds: 0.2 } },
    { storeAnswers: true },
  );
  const outcome = await worker.runUntil(async () => outcomeOf(await start()));
  expect(outcome).toMatchObject({ answers: requests, unanswered: 0 });
  expect(await resultOf(context)).toBe(expected);
  expect(teacher.counts()).toMatchObject({ answered: requests, repeated: 0 });
  expect((await readLedger(context.run.root)).cost).toBeCloseTo(costByTeacher(teacher), 9);
});

test('a refused key fails the workflow, with what to check', async () => {
  const { start, worker, teacher } = await setUp({ faults: { requiredKey: 'another' } });
  const failure = await worker.runUntil(async () => outcomeOf(await start()).catch((error: Error) => error));
  expect(String((failure as { cause?: { cause?: Error } }).cause?.cause?.message)).toMatch(/Check the key/);
  expect(teacher.counts().requests).toBeLessThanOrEqual(3 * 2);
});

test('the budget is never exceeded: the workflow waits for a top-up, which is recorded for the next round', async () => {
  const limit = 0.9;
  const { context, start, worker, teacher } = await setUp({}, { budget: { limit } });
  await worker.runUntil(async () => {
    const handle = await start();
    const progress = await waitingForTopUp(handle);
    expect(progress).toMatchObject({ limit, underWay: 0, currency: 'USD' });
    expect(progress.answered).toBeLessThan(requests);
    expect(teacher.counts().answered).toBeGreaterThan(10);
    expect(costByTeacher(teacher)).toBeLessThanOrEqual(limit);
    expect(progress.spent + progress.reserved).toBeLessThanOrEqual(limit);
    await expect(handle.executeUpdate(topUpUpdate, { args: [{ amount: -1 }] })).rejects.toThrow();
    expect(await handle.executeUpdate(topUpUpdate, { args: [{ amount: 10 }] })).toBeCloseTo(limit + 10);
    expect(await outcomeOf(handle)).toMatchObject({ answers: requests, unanswered: 0 });
  });
  expect(await resultOf(context)).toBe(expected);
  expect(teacher.counts()).toMatchObject({ answered: requests, repeated: 0 });
  expect(await readLedger(context.run.root)).toMatchObject({ toppedUp: 10 });
});

test('with a used-up budget the round can be ended with the answers there are', async () => {
  const { start, worker, teacher } = await setUp({}, { budget: { limit: 0.9 } });
  const outcome = await worker.runUntil(async () => {
    const handle = await start();
    await waitingForTopUp(handle);
    await handle.executeUpdate(finishEarlyUpdate);
    return outcomeOf(handle);
  });
  expect(outcome.answers).toBe(teacher.counts().answered);
  expect(outcome.answers + outcome.unanswered).toBe(requests);
  expect(outcome.cost).toBeLessThanOrEqual(0.9);
});

test('a round that ended without an answer is asked again when there is budget', async () => {
  const { context, start, worker, teacher } = await setUp({}, { budget: { limit: 0.001 } });
  await worker.runUntil(async () => {
    const poor = await start();
    await waitingForTopUp(poor);
    await poor.executeUpdate(finishEarlyUpdate);
    expect(await outcomeOf(poor)).toMatchObject({ answers: 0, unanswered: requests });
    expect(teacher.counts().requests).toBe(0);

    const rich = await start();
    await waitingForTopUp(rich);
    await rich.executeUpdate(topUpUpdate, { args: [{ amount: 10 }] });
    expect(await outcomeOf(rich)).toMatchObject({ answers: requests, unanswered: 0 });
  });
  expect(await resultOf(context)).toBe(expected);
});

const batchSettings = {
  mode: 'batch',
  batch: { requests: 20, maxConcurrent: 2, pollSeconds: 0.2, maximumPollSeconds: 0.4 },
};

test('batches give the same answers at half the price; failed and expired requests are submitted again', async () => {
  const { context, start, worker, teacher } = await setUp(
    { faults: { batches: { seconds: 0.3, failedRequests: 0.1, script: ['completed', 'expired'] } } },
    batchSettings,
  );
  const outcome = await worker.runUntil(async () => outcomeOf(await start()));
  expect(outcome).toMatchObject({ answers: requests, unanswered: 0 });
  expect(await resultOf(context)).toBe(expected);
  const { requests: online, batch, repeated } = teacher.counts();
  expect([online, batch.answered, repeated]).toEqual([0, requests, 0]);
  expect(batch.created).toBeGreaterThan(3);
  expect(outcome.cost).toBeCloseTo(costByTeacher(teacher), 9);
});

test('cancelling the workflow cancels the remote batches, and a later one continues with what they had done', async () => {
  const batches = { seconds: 3600 };
  const { context, start, worker, teacher } = await setUp({ faults: { batches } }, batchSettings);
  await worker.runUntil(async () => {
    const handle = await start();
    while (teacher.counts().batch.created < 2) await new Promise((resolve) => setTimeout(resolve, 50));
    await handle.cancel();
    await expect(outcomeOf(handle)).rejects.toThrow();
    expect((await handle.describe()).status.name).toBe('CANCELLED');
    expect(teacher.counts().batch).toMatchObject({ created: 2, cancelled: 2, answered: 0 });

    batches.seconds = 0;
    expect(await outcomeOf(await start())).toMatchObject({ answers: requests, unanswered: 0 });
  });
  expect(await resultOf(context)).toBe(expected);
  expect(teacher.counts()).toMatchObject({ repeated: 0, batch: { answered: requests } });
});
