/**
 * What Temporal's server keeps of a run when there is a payload key: nothing that says what it is about. In the tests, what
 * must be hidden has words such as MARK-path.
 */
import { ApplicationFailure, Context } from '@temporalio/activity';
import { WorkflowFailedError } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { fakePromptActivities } from '../../bench/support/fake-generation.ts';
import { readRunView } from '../../cli/watch/run-view.ts';
import type { RoundProgress } from '../../workflows/messages.ts';
import { gate } from '../helpers/gate.ts';
import { planOn } from '../workflows/histories/scenarios.ts';
import { until } from '../workflows/until.ts';
import { type EncryptedWorld, openEncryptedWorld } from './encrypted-world.ts';

let world: EncryptedWorld;
beforeAll(async () => {
  world = await openEncryptedWorld();
}, 300_000);
afterAll(() => world?.close());

const marksIn = (text: string) => [...new Set(text.match(/MARK-[a-z]+/g))].sort();
const show = (id: string) => ['workflow', 'show', '--workflow-id', id];

/** Without the codec there is no mark; with it, these are there. */
async function expectHidden(words: string[], marks: string[]): Promise<string> {
  const hidden = await world.shown(words);
  expect(marksIn(hidden), words.join(' ')).toEqual([]);
  expect(marksIn(await world.shown(words, true))).toEqual(expect.arrayContaining(marks));
  return hidden;
}

test('a comment, a path, an error and its details, a heartbeat, a memo are shown by the codec alone', async () => {
  const merging = gate();
  const queue = 'hidden-queue';
  const plan = planOn(queue, { rounds: 0, directory: '/MARK-path/runs', searchAttributes: true });
  let attempts = 0;
  const activities = {
    ...fakeActivities(plan, []),
    merge: async () => {
      attempts += 1;
      Context.current().heartbeat({ checkpoint: '/MARK-heartbeat' });
      if (attempts === 1) throw new Error('MARK-attempt');
      await merging.opened;
      const [details, cause] = [['/MARK-detail'], new Error('MARK-cause')];
      throw ApplicationFailure.create({
        message: 'MARK-error',
        type: 'InputError',
        nonRetryable: true,
        details,
        cause,
      });
    },
  };
  const { client } = world;
  const running = await world.worker(queue, activities);
  await running.runUntil(async () => {
    const handle = await client.workflow.start('dataEngine', {
      taskQueue: queue,
      workflowId: 'hidden',
      args: [{ config: '/MARK-config.yaml' }],
      memo: { config: '/MARK-memo.yaml' },
      staticSummary: 'MARK-summary',
      staticDetails: 'MARK-details',
    });
    await until(() => attempts === 2);
    await handle.executeUpdate('pause', { args: [{ reason: 'MARK-comment' }] });
    const of = (command: string, id: string) => ['workflow', command, '--workflow-id', id];
    await expectHidden(of('describe', 'hidden'), ['MARK-memo', 'MARK-summary']);
    await expectHidden(of('metadata', 'hidden'), ['MARK-comment']);
    await expectHidden([...of('query', 'hidden'), '--type', 'progress'], ['MARK-comment']);
    await until(async () => (await world.shown(of('describe', 'hidden/round-0'), true)).includes('MARK-heartbeat'));
    const round = await expectHidden(of('describe', 'hidden/round-0'), ['MARK-attempt', 'MARK-heartbeat']);
    expect(round).toContain('Encoded failure');
    const view = await readRunView(client, 'hidden');
    expect(view).toMatchObject({
      progress: { paused: { reason: 'MARK-comment' } },
      activities: [{ name: 'merge', details: { checkpoint: '/MARK-heartbeat' }, lastFailure: 'MARK-attempt' }],
    });
    await handle.executeUpdate('resume');
    merging.open();
    await expect(handle.result()).rejects.toThrow(WorkflowFailedError);

    for (const id of ['hidden', 'hidden/round-0']) {
      const marks = [
        'MARK-cause',
        'MARK-error',
        'MARK-path',
        ...(id === 'hidden' ? ['MARK-comment', 'MARK-config'] : []),
      ];
      const hidden = await expectHidden(show(id), marks);
      // What stays readable: SECURITY.md lists it.
      for (const word of ['Encoded failure', 'InputError', queue, id, 'dataEngine']) expect(hidden).toContain(word);
    }
    const round0 = await world.shown(show('hidden/round-0'), true);
    expect(marksIn(round0)).toContain('MARK-detail');
    const described = await world.shown(of('describe', 'hidden'));
    for (const word of ['DataEngineRun', 'DataEngineState', '"tiny"']) expect(described).toContain(word);
  });
});

test('a decision’s comment and a prompt’s comment, diff and files are shown by the codec alone', async () => {
  const queue = 'comments';
  const approval = { timeoutHours: 1, defaultDecision: 'gate' as const };
  const activities = {
    ...fakeActivities(planOn(queue, { approval }), []),
    ...fakePromptActivities(queue),
    revisePrompt: async () => ({ diff: '+MARK-diff of the MARK-prompt' }),
    acceptPrompt: async () => ({ version: 'generate-v2', file: '/MARK-file.md' }),
  };
  const running = await world.worker(queue, activities);
  await running.runUntil(async () => {
    const { workflow } = world.client;
    const start = { taskQueue: queue, workflowId: 'decided', args: [{ config: 'tiny.yaml' }] };
    const run = await workflow.start('dataEngine', start);
    const round = workflow.getHandle('decided/round-1');
    const steps = () => round.query<RoundProgress>('progress').catch(() => undefined);
    await until(async () => (await steps())?.steps.at(-1)?.state === 'waiting');
    await round.executeUpdate('decideRound', { args: [{ decision: 'reject', comment: 'MARK-why' }] });
    await run.result();
    await expectHidden(show('decided/round-1'), ['MARK-why']);

    const prompt = await workflow.start('dataEnginePromptOptimization', {
      taskQueue: queue,
      workflowId: 'prompt',
      args: [{ config: 'tiny.yaml', samples: 2 }],
    });
    const waiting = (iteration: number) =>
      until(async () => {
        const { phase, current } = await prompt.query<{ phase: string; current?: { iteration: number } }>('progress');
        return phase === 'waiting for verdicts' && current?.iteration === iteration;
      });
    await waiting(0);
    await prompt.executeUpdate('verdict', { args: [{ sample: 's0', verdict: 'bad', comment: 'MARK-verdict' }] });
    await prompt.executeUpdate('decide', { args: [{ action: 'revise', comment: 'MARK-revise' }] });
    await waiting(1);
    await prompt.executeUpdate('decide', { args: [{ action: 'accept' }] });
    await prompt.result();
    await expectHidden(show('prompt'), ['MARK-diff', 'MARK-file', 'MARK-prompt', 'MARK-revise', 'MARK-verdict']);
  });
});

test('the input of a later execution and of a schedule are shown by the codec alone; the history replays', async () => {
  const queue = 'later';
  const plan = planOn(queue, { rounds: 2, roundsPerExecution: 2, directory: '/MARK-path/runs' });
  const running = await world.worker(queue, fakeActivities(plan, []));
  await running.runUntil(async () => {
    const start = { taskQueue: queue, workflowId: queue, args: [{ config: 'MARK-config.yaml' }] };
    const handle = await world.client.workflow.start('dataEngine', start);
    await handle.result();
    const first = [...show(queue), '--run-id', handle.firstExecutionRunId];
    expect(await expectHidden(first, ['MARK-config', 'MARK-path'])).toContain('CONTINUED_AS_NEW');
    await expectHidden(show(queue), ['MARK-path']);
    const { environment, dataConverter } = world;
    const { workflowBundle } = environment;
    for (const [id, runId] of [
      [queue, handle.firstExecutionRunId],
      [queue, undefined],
      [`${queue}/round-1`, undefined],
    ] as const) {
      const history = await world.client.workflow.getHandle(id, runId).fetchHistory();
      await Worker.runReplayHistory({ workflowBundle, dataConverter }, history, id);
    }
  });
  await world.client.schedule.create({
    scheduleId: 'nights',
    spec: { cronExpressions: ['0 2 * * *'] },
    action: {
      type: 'startWorkflow',
      workflowType: 'dataEngine',
      taskQueue: queue,
      args: [{ config: 'MARK-config.yaml' }],
    },
  });
  await expectHidden(['schedule', 'describe', '--schedule-id', 'nights'], ['MARK-config']);
});

test('the reasons of cancel, terminate and reset stay readable', async () => {
  const args = [{ config: 'tiny.yaml' }];
  const start = (workflowId: string) =>
    world.client.workflow.start('dataEngine', { taskQueue: 'reasons', workflowId, args });
  const running = await world.worker('reasons', fakeActivities(planOn('reasons', { rounds: 0 }), []));
  await running.runUntil(async () => (await start('to-reset')).result());
  const reset = ['workflow', 'reset', '--workflow-id', 'to-reset', '--type', 'FirstWorkflowTask'];
  await world.temporal([...reset, '--reason', 'MARK-reset'], true);
  expect(marksIn(await world.shown(show('to-reset')))).toEqual(['MARK-reset']);
  await start('to-terminate');
  await world.temporal(['workflow', 'terminate', '--workflow-id', 'to-terminate', '--reason', 'MARK-terminate'], true);
  expect(marksIn(await world.shown(show('to-terminate')))).toEqual(['MARK-terminate']);
  await start('to-cancel');
  // Of one workflow, the command takes no reason; the SDKs do.
  const { workflowService, options } = world.client;
  await workflowService.requestCancelWorkflowExecution({
    namespace: options.namespace,
    workflowExecution: { workflowId: 'to-cancel' },
    reason: 'MARK-cancel',
  });
  expect(marksIn(await world.shown(show('to-cancel')))).toEqual(['MARK-cancel']);
});
