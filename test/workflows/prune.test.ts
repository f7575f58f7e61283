/** Pruning on Temporal: the workflow with its real activity, its schedule, and what each round does by itself. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCpuActivities } from '../../activities/cpu.ts';
import { cpuTasks } from '../../activities/cpu-tasks.ts';
import { createGpuActivities } from '../../activities/gpu.ts';
import { roundSummary } from '../../bench/fuzz/inputs.ts';
import { watch } from '../../cli/watch/watch.ts';
import { fileExists } from '../../src/core/files.ts';
import { usualWorkerSettings } from '../../src/core/worker-settings.ts';
import { openOwnerPlace } from '../../src/round/owner/owner-place.ts';
import { clusterOf } from '../../src/round/owner/temporal-executions.ts';
import type { PruneOutcome } from '../../src/round/retention/removals.ts';
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import { extensions } from '../../workers/extensions.ts';
import type { DataEngineProgress } from '../../workflows/messages.ts';
import { dataengine } from '../cli/in-this-process.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { playRun } from '../round/retention/finished-run.ts';
import { pretendTrainerEntry, writeTinyRun } from '../round/tiny-run.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { until } from './until.ts';
import { cpuAndTeacherActivities, dependencies } from './worker-activities.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

/** A finished run of three rounds whose config keeps the last good model alone, and a worker's settings for it. */
async function finishedRun() {
  const folder = await temporaryFolder();
  const context = await playRun(folder);
  const file = join(context.run.root, 'config.json');
  const config = { ...JSON.parse(await readFile(file, 'utf8')), retention: { lastRounds: 0, best: false } };
  await writeFile(file, JSON.stringify(config));
  const usual = usualWorkerSettings();
  const here = { configs: [...usual.configs, folder], data: [...usual.data, join(folder, 'data')] };
  const settings = { ...usual, ...here, models: [...usual.models, config.model.path], runs: [join(folder, 'runs')] };
  const { lastGood } = JSON.parse(await readFile(join(context.run.root, 'lineage.json'), 'utf8'));
  const models = async () => {
    const there = [0, 1, 2].map((round) =>
      fileExists(join(context.run.root, `round-${round}`, 'merged', 'model.safetensors')),
    );
    return (await Promise.all(there)).flatMap((isThere, round) => (isThere ? [round] : []));
  };
  return { folder, context, settings, lastGood: lastGood as number, models };
}

test('a schedule of its own starts the workflow, which says what went and what stays', async () => {
  const { folder, context, settings, lastGood, models } = await finishedRun();
  const { client, address } = environment.temporal;
  await mkdir(join(folder, 'configs'));
  const config = join(folder, 'configs', 'nightly.yaml');
  const tiny = await readFile(join(folder, 'tiny.yaml'), 'utf8');
  await writeFile(config, `${tiny}retention: { lastRounds: 0, best: false }\n`);
  await rename(context.run.root, join(folder, 'runs', 'nightly'));
  const worker = await createWorker(environment, 'data-engine', createCpuActivities({ extensions, settings }));
  await worker.runUntil(async () => {
    const created = await dataengine(
      address,
      ...['schedule', 'prune', 'pruning', '--config', config, '--run', 'nightly', '--cron', '0 12 * * *'],
    );
    expect(created).toContain('overlap SKIP');
    const schedule = client.schedule.getHandle('pruning');
    await schedule.trigger();
    await until(async () => (await schedule.describe()).info.recentActions.length === 1);
    const workflowId = (await schedule.describe()).info.recentActions[0]?.action.workflow.workflowId ?? '';
    const outcome: PruneOutcome = await client.workflow.getHandle(workflowId).result();
    expect(outcome).toMatchObject({ run: 'nightly', rounds: 3, kept: [{ round: lastGood, why: 'the last good one' }] });
    expect(outcome.removed.map(({ kind }) => kind)).toContain('model');
    await schedule.delete();
    for (const input of [{}, { config, runDirectory: folder }, { runDirectory: '/etc' }]) {
      const refused = client.workflow.execute('dataEnginePrune', {
        taskQueue: 'data-engine',
        workflowId: `refused-${JSON.stringify(input).length}`,
        args: [input],
      });
      await expect(refused).rejects.toThrow();
    }
  });
  await rename(join(folder, 'runs', 'nightly'), context.run.root);
  expect(await models()).toEqual([lastGood]);
});

const execution = { cluster: 'here', namespace: 'default', workflowId: 'nightly', runId: 'a' };

test('where the config has the section, a finished round prunes by itself, for its owner alone', async () => {
  const { context, settings, lastGood, models } = await finishedRun();
  const { root } = context.run;
  const place = await openOwnerPlace(root, { access: undefined });
  await place?.claim(1, { kind: 'workflow', ...execution });
  await place?.claim(2, { kind: 'workflow', ...execution, runId: 'b' });
  const host = { extensions, settings, signal: new AbortController().signal, onProgress: () => undefined };
  const record = { runDirectory: root, round: 2, summary: { ...roundSummary, round: 2 } as never };
  await cpuTasks.recordRound(record, { ...host, epoch: 1 }).catch(() => undefined);
  expect(await models()).toEqual([0, 1, 2]);
  await cpuTasks.recordRound(record, { ...host, epoch: 2 });
  expect(await models()).toEqual([lastGood]);
  expect(await fileExists(join(root, 'round-2', 'round.json'))).toBe(true);
});

test('beside a workflow that works on the run, its newest round stays whole; once it has ended, it does not', async () => {
  const { context, settings, models } = await finishedRun();
  const { client } = environment.temporal;
  // Nobody polls its queue, so it runs until it is ended.
  const owner = await client.workflow.start('dataEnginePrune', {
    taskQueue: 'nobody',
    workflowId: 'owner',
    args: [{ config: 'x.yaml' }],
  });
  const place = await openOwnerPlace(context.run.root, { access: undefined });
  const cluster = await clusterOf(client.workflowService);
  const ids = { workflowId: owner.workflowId, runId: owner.firstExecutionRunId };
  await place?.claim(1, { kind: 'workflow', cluster, namespace: 'default', ...ids });
  const checkpoints = () => fileExists(join(context.run.root, 'round-2', 'finetune', 'checkpoints'));
  const worker = await createWorker(environment, 'data-engine', createCpuActivities({ extensions, settings }));
  const pruned = (workflowId: string): Promise<PruneOutcome> =>
    client.workflow.execute('dataEnginePrune', {
      taskQueue: 'data-engine',
      workflowId,
      args: [{ runDirectory: context.run.root }],
    });
  await worker.runUntil(async () => {
    const beside = await pruned('beside');
    expect(beside.owner).toContain('the workflow owner');
    expect(beside.kept).toContainEqual({ round: 2, why: expect.stringContaining('its owner is at work') });
    expect(await models()).toContain(2);
    expect(await checkpoints()).toBe(true);
    await owner.terminate();
    expect((await pruned('afterwards')).owner).toBeUndefined();
    expect(await checkpoints()).toBe(false);
  });
});

test('nights go on over a pruned run: watch follows them, a failed step is tried again, and the report says what is gone', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    retention: { lastRounds: 0, best: false },
    temporal: { ...tiny.temporal, failedStep: { action: 'wait', waitHours: 1 } },
  }));
  const { client } = environment.temporal;
  const trainer = typescriptTrainer(pretendTrainerEntry);
  const gpu = createGpuActivities({ ...dependencies, trainer });
  let broken = true;
  const failing: typeof gpu = {
    ...gpu,
    merge: async (reference) => {
      if (reference.round === 2 && broken) throw ApplicationFailure.nonRetryable('the disk is full', 'InputError');
      return gpu.merge(reference);
    },
  };
  const night = (workflowId: string) =>
    client.workflow.start('dataEngine', {
      taskQueue: 'data-engine',
      workflowId,
      args: [{ config, run: 'nights', more: 1 }],
    });
  const root = join(folder, 'runs', 'nights');
  const weights = (round: number) => fileExists(join(root, `round-${round}`, 'merged', 'model.safetensors'));
  const cpu = await createWorker(environment, 'data-engine', cpuAndTeacherActivities());
  const teacher = await createWorker(environment, 'data-engine-teacher', cpuAndTeacherActivities());
  const gpus = await createWorker(environment, 'data-engine-gpu', failing);
  const lastGood = async () => JSON.parse(await readFile(join(root, 'lineage.json'), 'utf8')).lastGood as number;
  const nights = async () => {
    await (await night('night-1')).result();
    const first = await lastGood();
    expect(await Promise.all([0, 1].map(weights))).toEqual([0, 1].map((round) => round === first));
    const second = await night('night-2');
    const watched = watch(client, 'night-2', { form: 'lines', output: new PassThrough().resume() });
    await until(async () => (await second.query<DataEngineProgress>('progress')).waiting?.step === 'merge');
    broken = false;
    await second.executeUpdate('retryStep', { args: [{ step: 'merge' }] });
    return watched;
  };
  const result = await cpu.runUntil(teacher.runUntil(gpus.runUntil(nights())));
  expect(result.rounds.map(({ round }) => round)).toEqual([0, 1, 2]);
  const good = await lastGood();
  expect(await Promise.all([0, 1, 2].map(weights))).toEqual([0, 1, 2].map((round) => round === good));
  const html = await readFile(result.report, 'utf8');
  expect(html).toContain('round 2 of 2 is done');
  expect(html).toMatch(/Round \d: [\d.]+ [kMG]B were pruned/);
}, 300_000);
