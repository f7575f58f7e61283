/**
 * What an execution hands to the next one, as each version wrote it: recorded from histories, and never changed. Runs
 * outlive the workers that started them, so workers continue from all of them. `npm run histories` records a new version.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { bundleWorkflowCode } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fakeActivities } from '../../../bench/support/fake-activities.ts';
import { projectFile } from '../../../src/core/files.ts';
import { dataEngineInputSchema, generationInputSchema, parseInput } from '../../../workflows/inputs.ts';
import { createWorker, quiet, startEnvironment, type WorkflowTestEnvironment } from '../environment.ts';
import { planOn, type Scenario, scenarios } from '../histories/scenarios.ts';
import { until } from '../until.ts';

interface Recorded {
  name: string;
  workflow: string;
  version: number;
  input: { state: Record<string, unknown> } & Record<string, unknown>;
}

/** `<workflow>-<version>[-<what is special>].json` */
const names = (await readdir(import.meta.dirname)).filter((name) => name.endsWith('.json')).sort();
const recorded: Recorded[] = await Promise.all(
  names.map(async (name) => {
    const [, workflow = '', version] = /^([A-Za-z]+)-(\d+)/.exec(name) ?? [];
    const input = JSON.parse(await readFile(join(import.meta.dirname, name), 'utf8'));
    return { name: name.replace('.json', ''), workflow, version: Number(version), input };
  }),
);
const current = { dataEngine: 2, dataEngineGeneration: 2 };

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  // A low number of events, after which a generation continues as new.
  environment = await startEnvironment(['--dynamic-config-value', 'limit.historyCount.suggestContinueAsNew=150']);
  const workflowsPath = projectFile('test/workflows/carried-states/hand-over.ts');
  environment.workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: quiet });
}, 120_000);

afterAll(() => environment?.temporal.teardown());

/** Runs a workflow as the one that another execution continues as. */
async function continueAs(workflow: string, input: unknown, workflowId: string) {
  const { client } = environment.temporal;
  const args = [workflow, input];
  return client.workflow.start('handOver', {
    taskQueue: queue,
    workflowId,
    args,
    workflowExecutionTimeout: '1 minute',
  });
}

const queue = 'run-of-two-executions';

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => (error as WorkflowFailedError).cause as ApplicationFailure,
  );

describe('each recorded state', () => {
  test('is there for every version', () => {
    for (const [workflow, newest] of Object.entries(current)) {
      const versions = new Set(recorded.filter((one) => one.workflow === workflow).map(({ version }) => version));
      expect([...versions].sort(), workflow).toEqual(Array.from({ length: newest }, (_, index) => index + 1));
    }
  });

  test.each(recorded)('$name has its version', ({ version, input }) => {
    // Version 1 had no number.
    expect(input.state.version ?? 1).toBe(version);
  });

  test.each(recorded.filter(({ workflow }) => workflow === 'dataEngine'))('$name is read', ({ input }) => {
    const { state } = parseInput(dataEngineInputSchema, input);
    const { plan, rounds } = input.state as { plan: { queues: object }; rounds: { gate?: unknown }[] };
    expect(state?.plan).toEqual({ ...plan, queues: { teacher: `${queue}-teacher`, ...plan.queues } });
    expect(state?.nextRound).toBe(2);
    expect(state?.rounds).toMatchObject(rounds.map(({ gate, ...row }) => row));
    expect(state?.rounds.map(({ gate }) => gate?.accepted)).toEqual(rounds.map(({ gate }) => gate && true));
  });

  test.each(recorded.filter(({ workflow }) => workflow === 'dataEngineGeneration'))('$name is read', ({ input }) => {
    const { version, ...state } = input.state;
    expect(parseInput(generationInputSchema, input).state).toEqual(state);
  });

  test('is continued from, to the end', { timeout: 60_000 }, async () => {
    const generation = scenarios.find(({ name }) => name === 'generation-of-several-executions') as Scenario;
    const activities = {
      ...generation.activities(queue),
      ...fakeActivities(planOn(queue), []),
    };
    const generating = generation.activities(generation.name);
    const workers = await Promise.all([
      createWorker(environment, queue, activities),
      createWorker(environment, `${queue}-teacher`, activities),
      createWorker(environment, generation.name, generating),
    ]);
    const [main, teacher, other] = workers as [(typeof workers)[0], (typeof workers)[0], (typeof workers)[0]];
    const results = await main.runUntil(
      teacher.runUntil(
        other.runUntil(
          Promise.all(
            recorded.map(async ({ name, workflow, input }) => {
              const handle = await continueAs(workflow, input, name);
              return { workflow, result: await handle.result() };
            }),
          ),
        ),
      ),
    );
    for (const { workflow, result } of results) {
      if (workflow !== 'dataEngine') expect(result).toMatchObject({ answers: 8 });
      else expect(result.rounds.map(({ round }: { round: number }) => round)).toEqual([0, 1, 2]);
    }
  });
});

/** The same value with the types of its leaves. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, content]) => [key, shapeOf(content)]));
}

test.each(['run-of-two-executions', 'generation-of-several-executions'])(
  'what %s hands over has the newest version and its recorded shape: another shape is another version',
  { timeout: 60_000 },
  async (name) => {
    const scenario = scenarios.find((one) => one.name === name) as Scenario;
    const worker = await createWorker(environment, name, scenario.activities(name));
    const { client } = environment.temporal;
    const workflowId = `now-${name}`;
    const handle = await worker.runUntil(async () => {
      const started = await client.workflow.start(scenario.workflow, {
        taskQueue: name,
        workflowId,
        args: [scenario.input(name)],
      });
      await started.result();
      return client.workflow.getHandle(workflowId, started.firstExecutionRunId);
    });
    const { events } = await handle.fetchHistory();
    const payload = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.input?.payloads?.[0]?.data;
    const handed = JSON.parse(Buffer.from(payload ?? []).toString('utf8'));
    const newest = current[scenario.workflow as keyof typeof current];
    expect(handed.state.version).toBe(newest);
    const one = recorded.find((each) => each.name === `${scenario.workflow}-${newest}`);
    expect(shapeOf(handed)).toEqual(shapeOf(one?.input));
  },
);

describe('a state ends the workflow at once with a sentence', () => {
  const newest = (workflow: string) =>
    recorded.findLast((one) => one.workflow === workflow)?.input as Recorded['input'];

  test('when its version is unknown', { timeout: 60_000 }, async () => {
    const worker = await createWorker(environment, queue, fakeActivities(planOn(queue), []));
    await worker.runUntil(async () => {
      for (const workflow of Object.keys(current)) {
        for (const version of [3, 99, 0, -1, 1.5, '2', null, { of: 2 }]) {
          const input = { ...newest(workflow), state: { ...newest(workflow).state, version } };
          const handle = await continueAs(workflow, input, `${workflow} of version ${JSON.stringify(version)}`);
          const failure = await failureOf(handle.result());
          expect(failure?.type).toBe('InputError');
          expect(failure?.message).toContain(
            `state.version: ${JSON.stringify(version)} is unknown to this worker, which continues from the versions 1 to 2. Let a newer worker continue it`,
          );
          const { events = [] } = await client().getHandle(handle.workflowId).fetchHistory();
          expect(events?.filter((event) => event.workflowTaskFailedEventAttributes)).toEqual([]);
        }
      }
    });
  });

  const client = () => environment.temporal.client.workflow;
  const refused = /state: is set by continue-as-new only/;

  test.each(Object.keys(current))(
    'when the starter of %s gives it, also to later executions of a cron',
    { timeout: 60_000 },
    async (workflow) => {
      const worker = await createWorker(environment, queue, fakeActivities(planOn(queue), []));
      await worker.runUntil(async () => {
        const args = [newest(workflow)];
        const started = await client().start(workflow, { taskQueue: queue, workflowId: `given-${workflow}`, args });
        expect((await failureOf(started.result()))?.message).toMatch(refused);

        const cron = await client().start(workflow, {
          taskQueue: queue,
          workflowId: `cron-${workflow}`,
          args,
          cronSchedule: '@every 1s',
        });
        const first = cron.firstExecutionRunId;
        // Their starter gave the state, although each continues from another execution.
        await until(async () => (await client().getHandle(cron.workflowId).describe()).runId !== first);
        const { runId } = await client().getHandle(cron.workflowId).describe();
        const later = client().getHandle(cron.workflowId, runId);
        const lastEvent = async () => (await later.fetchHistory()).events?.at(-1);
        await until(async () => (await later.describe()).status.name !== 'RUNNING');
        expect((await lastEvent())?.workflowExecutionFailedEventAttributes?.failure?.message).toMatch(refused);
        await client().getHandle(cron.workflowId).terminate();
      });
    },
  );

  test.each(Object.keys(current))(
    'when a retry of %s is given it by its starter',
    { timeout: 60_000 },
    async (workflow) => {
      const handle = await client().start(workflow, {
        taskQueue: `late-${workflow}`,
        workflowId: `late-${workflow}`,
        args: [newest(workflow)],
        workflowRunTimeout: '1 second',
        retry: { initialInterval: '1 second', backoffCoefficient: 1 },
      });
      // No worker is there in time for the first execution.
      await until(
        async () => (await client().getHandle(handle.workflowId).describe()).runId !== handle.firstExecutionRunId,
      );
      const worker = await createWorker(environment, `late-${workflow}`, fakeActivities(planOn(queue), []));
      await worker.runUntil(async () => expect((await failureOf(handle.result()))?.message).toMatch(refused));
    },
  );
});
