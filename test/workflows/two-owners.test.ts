/**
 * A run has one owner: two workflows, a reset, another cluster and a step by hand on one run, on a real server.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCpuActivities } from '../../activities/cpu.ts';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import type { OwnerRecord } from '../../src/round/owner/owner-place.ts';
import type { DataEngineInput } from '../../workflows/inputs.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { dataengine } from '../cli/in-this-process.ts';
import { gate } from '../helpers/gate.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyRun } from '../round/tiny-run.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';
import { dependencies } from './worker-activities.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);
afterAll(() => environment?.temporal.teardown());

/** Work on a run of a queue of its own: config, start and rows are real; a finetune waits until it is let go. */
async function workOn(queue: string, work: (rig: Awaited<ReturnType<typeof rigOn>>) => Promise<void>) {
  const rig = await rigOn(queue);
  const worker = await createWorker(environment, queue, rig.activities);
  await worker.runUntil(async () => {
    try {
      await work(rig);
    } finally {
      rig.letGo();
    }
  });
}

async function rigOn(queue: string) {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    run: 'shared',
    rounds: 0,
    temporal: { taskQueues: { cpu: queue, gpu: queue }, roundsPerExecution: 1 },
  }));
  const { prepareRun, recordRound } = createCpuActivities(dependencies);
  const fakes = fakeActivities(planOn(queue), []);
  const finetuning = gate();
  let waiting = 0;
  const activities = {
    ...fakes,
    prepareRun,
    recordRound,
    finetune: async (reference: Parameters<typeof fakes.finetune>[0]) => {
      waiting += 1;
      await finetuning.opened;
      return fakes.finetune(reference);
    },
  };
  const root = join(folder, 'runs', 'shared');
  const { client } = environment.temporal;
  return {
    root,
    config,
    activities,
    letGo: finetuning.open,
    start: (workflowId: string, input: Partial<DataEngineInput> = {}) =>
      client.workflow.start('dataEngine', { taskQueue: queue, workflowId, args: [{ config, ...input }] }),
    untilFinetuning: (count = 1) => until(() => waiting >= count),
    owner: async (): Promise<OwnerRecord> => JSON.parse(await readFile(join(root, 'owner.json'), 'utf8')),
    seed: async () => JSON.parse(await readFile(join(root, 'config.json'), 'utf8')).seed,
  };
}

const failureOf = async (result: Promise<unknown>): Promise<string> => {
  const error = await result.then(
    () => new Error('it did not fail'),
    (failure: WorkflowFailedError) => failure,
  );
  const texts: string[] = [];
  for (let cause: Error | undefined = error; cause !== undefined; cause = cause.cause as Error | undefined)
    texts.push(cause.message);
  return texts.join('\n');
};

test('a second workflow on a run is refused in words while the first works, which ends right; then it follows', async () => {
  await workOn('two-workflows', async ({ start, untilFinetuning, letGo, owner, seed }) => {
    const first = await start('first', { seed: 7 });
    await untilFinetuning();
    const second = await start('second', { seed: 8 });
    expect(await failureOf(second.result())).toMatch(
      /the workflow first \(namespace default, cluster .*\) works on this run.*run of its own.*"takeover": true/,
    );
    expect([await seed(), (await owner()).owner]).toEqual([7, expect.objectContaining({ workflowId: 'first' })]);
    letGo();
    const result = (await first.result()) as DataEngineResult;
    expect(result.rounds.map(({ round }) => round)).toEqual([0]);
    // Closed, it is replaced without asking.
    const third = await start('third', { seed: 8 });
    await third.result();
    expect([await seed(), (await owner()).owner]).toEqual([8, expect.objectContaining({ workflowId: 'third' })]);
  });
});

test('with takeover a second workflow takes the run, and the first writes nothing more', async () => {
  await workOn('takeover', async ({ start, untilFinetuning, letGo, owner }) => {
    const first = await start('displaced', { seed: 7 });
    await untilFinetuning();
    const second = await start('taking-over', { seed: 8, takeover: true });
    await untilFinetuning(2);
    letGo();
    expect(await failureOf(first.result())).toMatch(/the run was taken over by the workflow taking-over/);
    await second.result();
    expect((await owner()).owner).toMatchObject({ workflowId: 'taking-over' });
  });
});

test('an owner of another cluster counts as working; a workflow that its own cluster does not know does not', async () => {
  await workOn('other-cluster', async ({ start, letGo, root, owner }) => {
    letGo();
    const record = { schemaVersion: 1, epoch: 1, id: 'a', since: '2026-01-01T00:00:00Z' };
    const elsewhere = { kind: 'workflow', cluster: 'elsewhere', namespace: 'default', workflowId: 'x', runId: 'y' };
    await mkdir(join(root, 'owners'), { recursive: true });
    await writeFile(join(root, 'owners', '1.json'), JSON.stringify({ ...record, owner: elsewhere }));
    expect(await failureOf((await start('late')).result())).toMatch(
      /workflow x \(namespace default, cluster elsewhere\)/,
    );
    await (await start('taking', { takeover: true })).result();
    const { owner: taken, epoch } = await owner();
    expect(taken).toMatchObject({ workflowId: 'taking' });
    const forgotten = { ...record, epoch: epoch + 1, owner: { ...taken, workflowId: 'forgotten' } };
    await writeFile(join(root, 'owners', `${epoch + 1}.json`), JSON.stringify(forgotten));
    await (await start('after-retention')).result();
    expect((await owner()).owner).toMatchObject({ workflowId: 'after-retention' });
  });
});

test('a run that continues as new goes on as its own; work of an execution that has ended is refused for good', async () => {
  await workOn('continued', async ({ start, letGo, root, owner, activities }) => {
    letGo();
    const run = await start('continued', { rounds: 2 });
    const started = run.firstExecutionRunId;
    expect(((await run.result()) as DataEngineResult).rounds).toHaveLength(3);
    const { owner: last } = await owner();
    expect(last).toMatchObject({ workflowId: 'continued' });
    expect(last).not.toMatchObject({ runId: started });

    const { classify } = createCpuActivities(dependencies);
    const worker = await createWorker(environment, 'left-behind', { ...activities, classify });
    const plan = { ...planOn('left-behind'), directory: root };
    const stale = await environment.temporal.client.workflow.start('dataEngineRound', {
      taskQueue: 'left-behind',
      workflowId: 'left-behind',
      args: [{ plan, round: 0, owner: { workflowId: 'continued', runId: started } }],
    });
    await worker.runUntil(async () => {
      expect(await failureOf(stale.result())).toMatch(/of an execution of continued that does not run any more/);
    });
    expect((await owner()).owner).toEqual(last);
  });
});

test('a step by hand is refused while a workflow works on the run, and takes it over when told to', async () => {
  const { address } = environment.temporal;
  await workOn('by-hand', async ({ start, untilFinetuning, letGo, config, owner }) => {
    const first = await start('working');
    await untilFinetuning();
    const step = ['prepare-data', '--config', config];
    await expect(dataengine(address, ...step)).rejects.toThrow(/the workflow working .* works on this run.*--takeover/);
    await dataengine(address, ...step, '--takeover');
    expect((await owner()).owner).toEqual({ kind: 'nobody' });
    letGo();
    expect(await failureOf(first.result())).toMatch(/the run was taken over by a step by hand that has ended/);
    await dataengine(address, ...step);
  });
});
