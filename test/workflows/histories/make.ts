/**
 * `npm run histories`: plays every scenario on a real server and stores the histories that the replay test replays, and
 * the state that a new version hands from one execution to the next.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode } from '@temporalio/worker';
import { temporalExecutable } from '../../../demo/command/temporal-server.ts';
import { fileExists } from '../../../src/core/files.ts';
import { writeJson } from '../../../src/core/write-file.ts';
import { workflowsPath } from '../../../workers/worker-flags.ts';
import { createWorker, type WorkflowTestEnvironment } from '../environment.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { historiesFolder, historyNames, writeHistory } from './stored.ts';

const carriedStates = join(historiesFolder, '../carried-states');

/** Low enough for a scenario to continue as new, high enough for the others not to. */
const eventsBeforeContinuingAsNew = 150;

async function play(environment: WorkflowTestEnvironment, scenario: Scenario): Promise<string[]> {
  const { name, workflow, input, activities, meanwhile, children = [] } = scenario;
  const { client } = environment.temporal;
  const worker = await createWorker(environment, name, activities(name));
  return worker.runUntil(async () => {
    const handle = await client.workflow.start(workflow, { taskQueue: name, workflowId: name, args: [input(name)] });
    await meanwhile?.(handle);
    // A scenario may end in a failure; its history counts.
    await handle.result().catch(() => undefined);
    const stored: string[] = [];
    const store = async (file: string, workflowId: string, runId?: string) => {
      await writeHistory(file, await client.workflow.getHandle(workflowId, runId).fetchHistory());
      stored.push(file);
    };
    // Each execution of a chain is a history of its own.
    const runIds: string[] = [];
    for (let id: string | undefined = handle.firstExecutionRunId; id !== undefined; id = await nextRun(name, id)) {
      runIds.push(id);
    }
    for (const runId of runIds.slice(1)) await recordState(workflow, runId);
    for (const [index, runId] of runIds.entries()) await store(index === 0 ? name : `${name}-${index}`, name, runId);
    for (const child of children) await store(`${name}${child.replaceAll('/', '-')}`, `${name}${child}`);
    return stored;
  });

  /** What the execution continued from, unless its version is recorded already: what a version wrote never changes. */
  async function recordState(workflowType: string, runId: string): Promise<void> {
    const { events } = await client.workflow.getHandle(name, runId).fetchHistory();
    const data = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data ?? [];
    const handedOver = JSON.parse(Buffer.from(data).toString('utf8'));
    const file = join(carriedStates, `${workflowType}-${handedOver.state.version}.json`);
    if (!(await fileExists(file))) await writeJson(file, handedOver);
  }

  async function nextRun(workflowId: string, runId: string): Promise<string | undefined> {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    return events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
  }
}

const only = process.argv.slice(2);
const chosen = scenarios.filter(({ name }) => only.length === 0 || only.includes(name));
const [temporal, workflowBundle] = await Promise.all([
  TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: await temporalExecutable() },
      extraArgs: ['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${eventsBeforeContinuingAsNew}`],
    },
  }),
  bundleWorkflowCode({ workflowsPath }),
]);
try {
  const stored: string[] = [];
  for (const scenario of chosen) stored.push(...(await play({ temporal, workflowBundle }, scenario)));
  for (const name of await historyNames()) {
    if (only.length === 0 && !stored.includes(name)) await rm(join(historiesFolder, `${name}.json.gz`));
  }
  process.stdout.write(`${stored.length} histories in ${historiesFolder}\n`);
} finally {
  await temporal.teardown();
}
