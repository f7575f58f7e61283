/**
 * Runs of the workflows with activities that do no work. Together they take every path through the workflows.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import type { StepReference } from '../../../activities/references.ts';
import { reportTeacher } from '../../../activities/report-teacher.ts';
import { fakeActivities } from '../../../bench/support/fake-activities.ts';
import { fakeGeneration, fakePromptActivities, generationPlan } from '../../../bench/support/fake-generation.ts';
import type { GenerationPlan } from '../../../src/round/asking/plan.ts';
import type { RunPlan } from '../../../workflows/inputs.ts';
import type { DataEngineProgress, RoundProgress } from '../../../workflows/messages.ts';
import { until } from '../until.ts';

export interface Scenario {
  /** Also the workflow's id, and the name of its task queue. */
  name: string;
  workflow: string;
  input: (queue: string) => unknown;
  activities: (queue: string) => object;
  /** What a person does meanwhile. */
  meanwhile?: (handle: WorkflowHandle) => Promise<void>;
  /** Children whose histories are kept too, by what follows the workflow's id. */
  children?: string[];
}

export function planOn(taskQueue: string, changes: Partial<RunPlan> = {}): RunPlan {
  return {
    run: 'tiny',
    directory: '/run',
    configHash: 'c0ffee',
    rounds: 1,
    roundsPerExecution: 10,
    evaluationShards: 1,
    hasTest: true,
    evaluationSets: ['validation', 'test'],
    queues: { cpu: taskQueue, gpu: taskQueue, teacher: taskQueue },
    finetuneTimeoutMinutes: 5,
    ...changes,
  };
}

const input = () => ({ config: 'tiny.yaml' });

function aRun(name: string, changes: Partial<RunPlan>, rest: Partial<Scenario> = {}): Scenario {
  const activities = (queue: string) => fakeActivities(planOn(queue, changes), []);
  return { name, workflow: 'dataEngine', input, activities, ...rest };
}

function aGeneration(
  name: string,
  changes: Partial<GenerationPlan>,
  meanwhile?: Scenario['meanwhile'],
  options: Parameters<typeof fakeGeneration>[1] = {},
): Scenario {
  return {
    name,
    workflow: 'dataEngineGeneration',
    input: (queue) => ({ runDirectory: '/run', round: 1, queues: { cpu: queue, teacher: queue } }),
    activities: () => fakeGeneration({ ...generationPlan, ...changes }, options),
    meanwhile,
  };
}

const inState = (handle: WorkflowHandle, state: string) =>
  until(async () => (await handle.query<{ state: string }>('progress')).state === state);

const phase = (handle: WorkflowHandle, phase: string) =>
  until(async () => (await handle.query<{ phase: string }>('progress')).phase === phase);

async function untilCancelled(): Promise<never> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 100);
  return context.cancelled.finally(() => clearInterval(beat));
}

async function awayForAWhile(): Promise<void> {
  await reportTeacher(0, 'connect ECONNREFUSED');
  await sleep(500);
  await reportTeacher(0, undefined);
}

const waitingAt = (handle: WorkflowHandle, step: string) =>
  until(async () => (await handle.query<DataEngineProgress>('progress')).waiting?.step === step);

/** Paused, resumed, extended, joined; a step is retried, and one skipped. */
function steeredRun(): Scenario {
  const changes: Partial<RunPlan> = { rounds: 0, failedStep: { waitHours: 1 } };
  return {
    name: 'run-steered',
    workflow: 'dataEngine',
    input,
    children: ['/round-0', '/round-1', '/round-1/generation'],
    activities: (queue) => {
      const activities = fakeActivities(planOn(queue, changes), []);
      const failing = (message: string) => Promise.reject(ApplicationFailure.nonRetryable(message, 'InputError'));
      let merges = 0;
      return {
        ...activities,
        ...fakeGeneration(generationPlan, { beforeChunk: () => sleep(500) }),
        merge: async (reference: StepReference) => {
          merges += 1;
          return merges === 1 ? failing('the disk is full') : activities.merge(reference);
        },
        report: () => failing('no font'),
      };
    },
    meanwhile: async (handle) => {
      await handle.executeUpdate('pause', { args: [{ reason: 'look first' }] });
      await handle.executeUpdate('join', { args: [input()] });
      await until(async () => (await handle.query<DataEngineProgress>('progress')).rounds !== undefined);
      await handle.executeUpdate('addRounds', { args: [{ more: 1 }] });
      await handle.executeUpdate('resume');
      await waitingAt(handle, 'merge');
      await handle.executeUpdate('retryStep');
      await waitingAt(handle, 'report');
      await handle.executeUpdate('skipStep');
      const round = handle.client.getHandle(`${handle.workflowId}/round-1`);
      const steps = () => round.query<RoundProgress>('progress').catch(() => undefined);
      await until(async () => (await steps())?.steps.at(-1)?.name === 'generate');
      await handle.executeUpdate('pause');
      await handle.executeUpdate('resume');
      await waitingAt(handle, 'report');
      await handle.executeUpdate('skipStep');
    },
  };
}

export const scenarios: Scenario[] = [
  aRun(
    'run',
    { verifies: true, evaluationShards: 2, notifyOn: ['round', 'done'] },
    { children: ['/round-0', '/round-1', '/round-1/generation'] },
  ),
  aRun('run-verified', { verifies: true }, { children: ['/round-1', '/round-1/verification'] }),
  aRun('run-judged', { rounds: 0, judges: true }, { children: ['/round-0', '/round-0/judging'] }),
  aRun('run-with-served-teacher', { rounds: 0, servesTeacher: true }, { children: ['/round-0'] }),
  aRun('run-with-serving-checked', { rounds: 0, checksServing: true }, { children: ['/round-0'] }),
  aRun('run-with-selected-samples', { selects: true }, { children: ['/round-1'] }),
  aRun('run-embedded-in-shards', { rounds: 1, embeddingShards: 2 }, { children: ['/round-1'] }),
  aRun('run-of-two-executions', { rounds: 2, roundsPerExecution: 2 }),
  aRun(
    'run-with-wrong-input',
    {},
    {
      activities: (queue) => ({
        ...fakeActivities(planOn(queue), []),
        prepareData: () => Promise.reject(ApplicationFailure.nonRetryable('train.json: broken', 'InputError')),
      }),
    },
  ),
  aRun(
    'run-cancelled',
    {},
    {
      children: ['/round-0'],
      activities: (queue) => ({ ...fakeActivities(planOn(queue), []), merge: untilCancelled }),
      meanwhile: async (handle) => {
        await until(async () => ((await handle.describe()).raw.pendingChildren ?? []).length > 0);
        await handle.cancel();
      },
    },
  ),
  aRun(
    'run-approved',
    { approval: { timeoutHours: 1, defaultDecision: 'gate' } },
    {
      children: ['/round-1'],
      meanwhile: async (handle) => {
        const round = handle.client.getHandle(`${handle.workflowId}/round-1`);
        const steps = () => round.query<RoundProgress>('progress').catch(() => undefined);
        await until(async () => (await steps())?.steps.at(-1)?.state === 'waiting');
        await round.executeUpdate('decideRound', { args: [{ decision: 'reject', comment: 'too few samples' }] });
      },
    },
  ),
  aRun('run-not-decided', { approval: { timeoutHours: 0.0001, defaultDecision: 'gate' } }, { children: ['/round-1'] }),
  aRun(
    'run-with-discovered-types',
    { rounds: 0, discovery: { timeoutHours: 1 } },
    {
      children: ['/round-0'],
      meanwhile: async (handle) => {
        const round = handle.client.getHandle(`${handle.workflowId}/round-0`);
        const steps = () => round.query<RoundProgress>('progress').catch(() => undefined);
        await until(async () => (await steps())?.steps.at(-1)?.state === 'waiting');
        await round.executeUpdate('approveTypes', { args: [{ comment: 'as proposed' }] });
      },
    },
  ),
  aRun(
    'run-reviewed',
    { rounds: 1, reviews: true },
    {
      children: ['/round-1'],
      activities: (queue) => {
        const { append, ...others } = fakeActivities(planOn(queue, { rounds: 1, reviews: true }), []);
        const undecided = [3];
        return {
          ...others,
          append: async (reference: Parameters<typeof append>[0]) => {
            const left = undecided.shift();
            const outcome = await append(reference);
            return left === undefined ? outcome : { ...outcome, version: '', samplesAdded: 0, undecided: left };
          },
        };
      },
      meanwhile: async (handle) => {
        const round = handle.client.getHandle(`${handle.workflowId}/round-1`);
        const steps = () => round.query<RoundProgress>('progress').catch(() => undefined);
        await until(async () => (await steps())?.steps.at(-1)?.state === 'waiting');
        await round.executeUpdate('samplesReviewed');
      },
    },
  ),
  steeredRun(),
  aRun(
    'run-without-gpu-worker',
    { rounds: 0, lookForWorkersMinutes: 0.002 },
    {
      children: ['/round-0'],
      activities: (queue) => {
        const { finetune, ...others } = fakeActivities(planOn(queue, { rounds: 0, lookForWorkersMinutes: 0.002 }), []);
        let isLookedFor = false;
        return {
          ...others,
          lookForWorkers: async () => {
            isLookedFor = true;
            return { polled: false };
          },
          finetune: async (reference: StepReference) => {
            await until(() => isLookedFor);
            await sleep(500);
            return finetune(reference);
          },
        };
      },
    },
  ),
  aRun(
    'run-with-nothing-new',
    {},
    {
      children: ['/round-1'],
      activities: (queue) => ({
        ...fakeActivities(planOn(queue), []),
        sample: async () => ({ seconds: 0, reused: false, requests: 0 }),
      }),
    },
  ),
  aRun(
    'run-with-teacher-elsewhere',
    { rounds: 0 },
    {
      activities: (queue) => ({
        ...fakeActivities(planOn(queue, { rounds: 0 }), []),
        prepareData: async () => ({ seconds: 1.5, reused: false, questions: 4, images: 4, leavesTeacher: true }),
      }),
    },
  ),
  aRun(
    'run-with-teacher-away',
    {},
    {
      children: ['/round-1', '/round-1/generation'],
      activities: (queue) => ({
        ...fakeActivities(planOn(queue), []),
        ...fakeGeneration(generationPlan, { beforeChunk: awayForAWhile }),
      }),
    },
  ),
  aRun(
    'run-given-up',
    { failedStep: { waitHours: 1 } },
    {
      activities: (queue) => ({
        ...fakeActivities(planOn(queue, { failedStep: { waitHours: 1 } }), []),
        prepareData: () => Promise.reject(ApplicationFailure.nonRetryable('train.json: broken', 'InputError')),
      }),
      meanwhile: async (handle) => {
        await waitingAt(handle, 'prepare-data');
        await handle.executeUpdate('giveUp');
      },
    },
  ),
  aGeneration('generation-online', {}),
  aGeneration('generation-topped-up', { limit: 0.3 }, async (handle) => {
    await inState(handle, 'waiting for a top-up');
    await handle.executeUpdate('topUp', { args: [{ amount: 5 }] });
  }),
  aGeneration('generation-finished-early', { limit: 0.3 }, async (handle) => {
    await inState(handle, 'waiting for a top-up');
    await handle.executeUpdate('finishEarly');
  }),
  aGeneration('generation-served', { servedOn: 'generation-served', maxConcurrentChunks: 1 }),
  aGeneration('generation-out-of-budget', { limit: 0.3, whenReached: 'finish' }),
  aGeneration('generation-in-batches', { mode: 'batch', chunks: 2 }),
  aGeneration(
    'generation-in-batches-cancelled',
    { mode: 'batch', chunks: 1 },
    async (handle) => {
      await inState(handle, 'asking');
      await handle.cancel();
    },
    { batchesEnd: false },
  ),
  // The script's server suggests to continue as new after few events.
  aGeneration('generation-of-several-executions', { chunks: 40 }),
  {
    name: 'endpoint-evaluation',
    workflow: 'dataEngineEndpointEvaluation',
    input: (queue) => ({ benchmark: 'mmbench', file: 'a.tsv', endpoint: 'http://127.0.0.1:9/v1', teacherQueue: queue }),
    activities: () => fakeGeneration(generationPlan),
  },
  {
    name: 'prune',
    workflow: 'dataEnginePrune',
    input: () => ({ config: 'tiny.yaml', run: 'tiny' }),
    activities: (queue) => fakeActivities(planOn(queue), []),
  },
  {
    name: 'prompt-optimization',
    workflow: 'dataEnginePromptOptimization',
    input: () => ({ config: 'tiny.yaml', samples: 2 }),
    activities: fakePromptActivities,
    meanwhile: async (handle) => {
      const decide = async (decision: object) => {
        await phase(handle, 'waiting for verdicts');
        await handle.executeUpdate('decide', { args: [decision] });
      };
      await phase(handle, 'waiting for verdicts');
      await handle.executeUpdate('verdict', { args: [{ sample: 's0', verdict: 'bad', comment: 'too long' }] });
      await decide({ action: 'revise' });
      await decide({ action: 'revise', comment: 'shorter' });
      await decide({ action: 'revise', comment: 'shorter still' });
      await decide({ action: 'accept' });
    },
  },
  {
    name: 'prompt-optimization-stopped',
    workflow: 'dataEnginePromptOptimization',
    input,
    activities: fakePromptActivities,
    meanwhile: async (handle) => {
      await phase(handle, 'waiting for verdicts');
      await handle.executeUpdate('decide', { args: [{ action: 'stop' }] });
    },
  },
];
