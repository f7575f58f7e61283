/** Inputs of workflows and activities: what whoever may start them can send. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import fc from 'fast-check';
import type { z } from 'zod';
import { createCpuActivities } from '../../activities/cpu.ts';
import { createGpuActivities } from '../../activities/gpu.ts';
import { withParsedInputs } from '../../activities/references.ts';
import { createTeacherActivities } from '../../activities/teacher.ts';
import { usualWorkerSettings } from '../../src/core/worker-settings.ts';
import { extensions } from '../../workers/extensions.ts';
import { endpointEvaluationInputSchema } from '../../workflows/endpoint-input.ts';
import {
  dataEngineInputSchema,
  generationInputSchema,
  parseContinued,
  parseInput,
  promptOptimizationInputSchema,
  roundInputSchema,
} from '../../workflows/inputs.ts';
import { pruneInputSchema } from '../../workflows/prune-input.ts';
import { damagedJson, hostileJson } from './arbitraries.ts';
import { type FuzzTarget, fuzzTarget } from './target.ts';

const queues = { cpu: 'c', gpu: 'g', teacher: 't' };
const plan = {
  run: 'demo',
  directory: '/work/runs/demo',
  configHash: 'x',
  rounds: 2,
  roundsPerExecution: 10,
  evaluationShards: 2,
  embeddingShards: 2,
  maxConcurrentShards: 4,
  hasTest: true,
  evaluationSets: ['validation', 'test'],
  verifies: true,
  judges: true,
  servesTeacher: true,
  selects: true,
  queues,
  finetuneTimeoutMinutes: 60,
  notifyOn: ['round', 'failed'],
  approval: { timeoutHours: 1, defaultDecision: 'gate' },
  failedStep: { waitHours: 2 },
  lookForWorkersMinutes: 2,
  searchAttributes: true,
};
export const roundSummary = {
  round: 0,
  multipleChoice: 60,
  directAnswer: 61.5,
  badCases: 7,
  errorByType: { counting: 0.5 },
  samplesAdded: 3,
  samplesRejected: 1,
  datasetVersion: 'a'.repeat(64),
  teacherTokens: { prompt: 5, completion: 6 },
  gate: { accepted: true, by: 'first', reason: 'x', lastGood: 0, change: 0, pValue: 1, remembered: 0, forgotten: 0 },
  seconds: { finetune: 5 },
};
const generation = {
  plan: {
    done: false,
    mode: 'online',
    chunks: 3,
    chunkSize: 10,
    requests: 30,
    maxConcurrentChunks: 2,
    estimate: {
      requests: 30,
      promptTokens: 5,
      completionTokens: 6,
      cost: 0.5,
      maximumCost: 1,
      mostPerRequest: 0.1,
      seconds: 9,
    },
    currency: 'USD',
    spent: 0,
    limit: 5,
    whenReached: 'wait',
    poll: { seconds: 1, maximumSeconds: 60 },
    servedOn: 'g',
  },
  nextChunk: 1,
  open: [{ chunk: 0, cost: 0.1, batch: 'batch_1' }],
  answered: 5,
  givenUp: 0,
  spent: 0.1,
  toppedUp: 0,
  finishEarly: false,
};

const execution = { workflowId: 'tuesday', runId: '0190' };

const endpoint = {
  endpoint: 'http://127.0.0.1:9/v1',
  modelName: 'toy',
  benchmark: 'mmbench',
  file: 'data/mmbench.tsv',
  images: 'data/images',
  limit: 3,
  blind: true,
  config: 'configs/demo.yaml',
  output: 'runs/evaluations',
  concurrency: 2,
  requestsPerMinute: 60,
  apiKeyVariable: 'OPENAI_API_KEY',
};

const workflows: [name: string, schema: z.ZodType, example: object][] = [
  [
    'dataEngine',
    dataEngineInputSchema,
    {
      config: 'configs/demo.yaml',
      dataRoot: 'data',
      run: 'demo',
      seed: 1,
      rounds: 2,
      more: 1,
      samplingStrategy: 'adaptive',
      takeover: true,
      state: { version: 2, plan, nextRound: 1, rounds: [roundSummary], paused: { reason: 'x' } },
    },
  ],
  ['dataEngineRound', roundInputSchema, { plan, round: 1, owner: execution, paused: {} }],
  [
    'dataEngineGeneration',
    generationInputSchema,
    {
      runDirectory: '/work/runs/demo',
      round: 1,
      queues: { cpu: 'c', teacher: 't' },
      owner: { ...execution, round: execution },
      state: generation,
      paused: false,
    },
  ],
  [
    'dataEnginePromptOptimization',
    promptOptimizationInputSchema,
    { config: 'configs/demo.yaml', dataRoot: 'data', seed: 1, samples: 4, forRun: 'demo' },
  ],
  ['dataEnginePrune', pruneInputSchema, { config: 'configs/demo.yaml', run: 'demo', dataRoot: 'data', dryRun: true }],
  ['dataEngineEndpointEvaluation', endpointEvaluationInputSchema, { ...endpoint, teacherQueue: 't' }],
];

/** A wrong input ends in this failure, with a sentence. */
function isInputFailure(error: unknown): boolean {
  const isExpected = error instanceof ApplicationFailure && error.type === 'InputError' && error.nonRetryable === true;
  return isExpected && typeof error.message === 'string' && error.message.length > 5 && error.message.length < 5000;
}

const anyInput = (example: unknown): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 8, arbitrary: damagedJson(example) },
    { weight: 1, arbitrary: hostileJson },
    // Of a payload that is not JSON, and of none.
    { weight: 1, arbitrary: fc.oneof(fc.constant(undefined), fc.uint8Array({ maxLength: 20 })) },
  );

const workflowTargets = workflows.map(([name, schema, example]) =>
  fuzzTarget<unknown>(`input-${name}`, async () => {
    parseInput(schema, example);
    return {
      input: anyInput(example),
      async take(input) {
        for (const parse of [
          (value: unknown) => parseInput(schema, value),
          (value: unknown) => parseContinued(schema as z.ZodType<{ state?: unknown }>, value, { attempt: 1 }),
          (value: unknown) =>
            parseContinued(schema as z.ZodType<{ state?: unknown }>, value, {
              attempt: 1,
              continuedFromExecutionRunId: 'x',
            }),
        ]) {
          try {
            const parsed = parse(input);
            if (!isDeepStrictEqual(parse(parsed), parsed)) throw new Error('parsed again, it is another');
          } catch (error) {
            if (!isInputFailure(error)) throw error;
          }
        }
      },
    };
  }),
);

const step = { runDirectory: 'runs/demo', round: 0, owner: { ...execution, round: execution } };
const prepare = { config: 'configs/demo.yaml', run: 'demo', seed: 1, rounds: 1, workflowId: 'w' };
/** An input of each activity that takes more than a step. */
const activityInputs: Record<string, object> = {
  prepareRun: { ...prepare, dataRoot: 'data', samplingStrategy: 'uniform', scheduledBy: 's', takeover: false },
  preparePromptOptimization: { config: 'configs/demo.yaml', samples: 4, forRun: 'demo', workflowId: 'w' },
  recordRound: { ...step, summary: roundSummary },
  recordTopUp: { ...step, id: 'x', amount: 5 },
  gate: { ...step, given: { decision: 'accept', by: 'person', comment: 'good' } },
  approveTypes: { ...step, given: { by: 'person', comment: 'good' } },
  notify: { ...step, text: 'done' },
  lookForWorkers: { ...step, queue: 'data-engine-gpu' },
  prune: { config: 'configs/demo.yaml', run: 'demo', dryRun: true },
  evaluateShard: { ...step, set: 'validation', shard: 0 },
  embedShard: { ...step, shard: 0 },
  askChunk: { ...step, chunk: 0, purpose: 'verify', allowance: 1 },
  askServedChunks: { ...step, chunk: 0, purpose: 'verify', allowance: 1 },
  submitBatch: { ...step, chunk: 0, purpose: 'judge', allowance: 1 },
  checkBatch: { ...step, batch: 'batch_1', chunk: 0 },
  collectBatch: { ...step, batch: 'batch_1', chunk: 0, purpose: 'generate' },
  cancelBatch: { ...step, batch: 'batch_1' },
  evaluateEndpoint: { ...endpoint, answers: 'ranked', exif: 'apply' },
  makePromptSamples: { ...step, iteration: 0, count: 4, forRun: 'demo' },
  revisePrompt: { ...step, iteration: 0, verdicts: [{ sample: 'x', verdict: 'bad', comment: 'y' }], comment: 'z' },
  acceptPrompt: { ...step, iteration: 1, forRun: 'demo' },
};

/** It would log each refused input. */
const silent = new DefaultLogger('ERROR', () => undefined);

type Call = { activity: string; input: unknown };

const activityTarget = fuzzTarget<Call>('input-activities', async (folder) => {
  const runs = join(folder, 'runs');
  await mkdir(runs);
  const settings = { ...usualWorkerSettings(), configs: [join(folder, 'configs')], data: [folder], runs: [runs] };
  const dependencies = { extensions, settings };
  const activities: Record<string, (input: never) => Promise<unknown>> = {
    ...createCpuActivities(dependencies),
    ...createGpuActivities(dependencies),
    ...createTeacherActivities(dependencies),
  };
  const names = Object.keys(activities);
  const parsing = withParsedInputs(
    Object.fromEntries(names.map((name) => [name, async (input: never): Promise<unknown> => input])),
  );
  const exampleOf = (name: string) => {
    const example = activityInputs[name] ?? step;
    return 'runDirectory' in example ? { ...example, runDirectory: join(runs, 'demo') } : example;
  };
  for (const name of names) await parsing[name]?.(exampleOf(name) as never);
  return {
    input: fc
      .constantFrom(...names)
      .chain((activity) => anyInput(exampleOf(activity)).map((input) => ({ activity, input }))),
    async take({ activity, input }) {
      const parsed = await parsing[activity]?.(input as never).then(
        () => true,
        (error: unknown) => {
          if (!isInputFailure(error)) throw error;
          return false;
        },
      );
      // There is no run: an input that can be taken ends there, and nothing is computed.
      const problem = await new MockActivityEnvironment(undefined, { logger: silent })
        .run(activities[activity] as never, input as never)
        .then(
          () => new Error(`it did something${parsed ? '' : ', with an input that does not parse'}`),
          (error: unknown) => (isInputFailure(error) ? undefined : error),
        );
      if (problem !== undefined) throw problem;
    },
  };
});

export const inputTargets: readonly FuzzTarget[] = [...workflowTargets, activityTarget];
