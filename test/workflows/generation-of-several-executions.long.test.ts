/**
 * The workflow `generation` over several executions, with its real activities: the server suggests to continue as new
 * after few events.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GenerateOutcome } from '../../src/round/generate/results.ts';
import { readLedger } from '../../src/teacher/ledger.ts';
import { generationProgressQuery, topUpUpdate } from '../../workflows/messages.ts';
import { startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { resultLeftAlone, resultOf, setUpGeneration } from './generation-setup.ts';

const eventsBeforeContinuing = 40;
const requests = 60;
const settings = { model: 'gpt-4', concurrency: 8, chunkRequests: 3, maxConcurrentChunks: 3 };
let environment: WorkflowTestEnvironment;
let expected: string;

beforeAll(async () => {
  environment = await startEnvironment([
    '--dynamic-config-value',
    `limit.historyCount.suggestContinueAsNew=${eventsBeforeContinuing}`,
  ]);
  expected = await resultLeftAlone({ requests, settings });
}, 300_000);

afterAll(() => environment?.temporal.teardown());

async function setUp(teacherSettings: Record<string, unknown>, batchSeconds = 0) {
  const setup = { requests, settings: { ...settings, ...teacherSettings } };
  const faults = { batches: { seconds: batchSeconds } };
  const { context, workflowId, ...rest } = await setUpGeneration(environment, setup, { faults });
  const { client } = environment.temporal;
  /** How many events each execution had, the first one first. */
  const executions = async (firstRunId: string) => {
    const events: number[] = [];
    for (let runId: string | null | undefined = firstRunId; runId; ) {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      events.push(history.events?.length ?? 0);
      runId = history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
    }
    return events;
  };
  return { ...rest, context, executions, result: () => resultOf(context) };
}

test('nothing is lost, repeated or paid twice where one execution ends and the next starts', async () => {
  const { teacher, context, start, worker, executions, result } = await setUp({});
  const events = await worker.runUntil(async () => {
    const handle = await start();
    const outcome: GenerateOutcome = await handle.result();
    expect(outcome).toMatchObject({ answers: requests, unanswered: 0 });
    return executions(handle.firstExecutionRunId);
  });
  expect(events.length).toBeGreaterThan(2);
  // Only what is under way when the suggestion comes is added to it.
  expect(Math.max(...events)).toBeLessThan(2 * eventsBeforeContinuing);
  expect(await result()).toBe(expected);
  const { promptTokens, completionTokens, ...counts } = teacher.counts();
  expect(counts).toMatchObject({ requests, answered: requests, repeated: 0 });
  expect(await readLedger(context.run.root)).toMatchObject({ promptTokens, completionTokens, lostCalls: 0 });
});

test('the budget and its top-ups apply to all executions', async () => {
  const limit = 0.9;
  const { teacher, context, start, worker, executions, result } = await setUp({ budget: { limit } });
  const events = await worker.runUntil(async () => {
    const handle = await start();
    await expect
      .poll(async () => (await handle.query(generationProgressQuery)).state, { timeout: 60_000 })
      .toBe('waiting for a top-up');
    expect((await readLedger(context.run.root)).cost).toBeLessThanOrEqual(limit);
    expect(teacher.counts().answered).toBeLessThan(requests);
    expect(await handle.executeUpdate(topUpUpdate, { args: [{ amount: 10 }] })).toBeCloseTo(limit + 10);
    expect(await handle.result()).toMatchObject({ answers: requests, unanswered: 0 });
    return executions(handle.firstExecutionRunId);
  });
  expect(events.length).toBeGreaterThan(2);
  expect(await result()).toBe(expected);
  expect(teacher.counts()).toMatchObject({ requests, answered: requests, repeated: 0 });
  expect(await readLedger(context.run.root)).toMatchObject({ toppedUp: 10 });
});

test('batches under way continue, and the next execution collects them', async () => {
  const batch = { requests: 5, maxConcurrent: 3, pollSeconds: 0.1, maximumPollSeconds: 0.2 };
  const { teacher, start, worker, executions, result } = await setUp({ mode: 'batch', batch }, 1.5);
  const events = await worker.runUntil(async () => {
    const handle = await start();
    expect(await handle.result()).toMatchObject({ answers: requests, unanswered: 0 });
    return executions(handle.firstExecutionRunId);
  });
  expect(events.length).toBeGreaterThan(2);
  expect(await result()).toBe(expected);
  expect(teacher.counts()).toMatchObject({
    requests: 0,
    repeated: 0,
    batch: { created: requests / batch.requests, answered: requests, cancelled: 0 },
  });
});
