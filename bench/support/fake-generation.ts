/**
 * The activities of a generation and of a prompt optimization that ask no teacher.
 */
import { ApplicationFailure } from '@temporalio/activity';
import type { CpuActivities } from '../../activities/cpu.ts';
import type { GpuActivities } from '../../activities/gpu.ts';
import type { PromptActivities, PromptRequests } from '../../activities/prompt.ts';
import type { TeacherActivities } from '../../activities/teacher.ts';
import type { Scores } from '../../src/evaluation/evaluation-files.ts';
import type { GenerationPlan } from '../../src/round/asking/plan.ts';

export const generationPlan: GenerationPlan = {
  done: false,
  mode: 'online',
  chunks: 4,
  chunkSize: 2,
  requests: 8,
  maxConcurrentChunks: 2,
  estimate: {
    requests: 8,
    promptTokens: 80,
    completionTokens: 40,
    cost: 0.8,
    maximumCost: 1.6,
    mostPerRequest: 0.1,
    seconds: 0,
  },
  currency: 'USD',
  spent: 0,
  whenReached: 'wait',
  poll: { seconds: 0.05, maximumSeconds: 0.1 },
};

const endpointScores: Scores = {
  schemaVersion: 1,
  set: 'mmbench',
  benchmark: 'mmbench',
  title: 'MMBench',
  blind: false,
  weights: 'a'.repeat(64),
  asked: 'b'.repeat(64),
  questions: 4,
  unanswered: 0,
  measures: { accuracy: { value: 0.5, low: 0.1, high: 0.9, count: 4, groups: {} } },
};

/** The activities of generation and verification, of both queues. */
export type FakeGeneration = Omit<TeacherActivities, keyof PromptRequests> &
  Pick<
    CpuActivities,
    | 'startGeneration'
    | 'finishGeneration'
    | 'startVerification'
    | 'finishVerification'
    | 'startJudging'
    | 'finishJudging'
    | 'recordTopUp'
  > &
  Pick<GpuActivities, 'askServedChunks'>;

/** A generation in which each request costs 0.1; batches end at the second look, unless they never do. */
export function fakeGeneration(
  plan: GenerationPlan,
  options: { batchesEnd?: boolean; beforeChunk?: () => Promise<void> } = {},
): FakeGeneration {
  const { batchesEnd = true, beforeChunk = async () => undefined } = options;
  const looks = new Map<string, number>();
  const asked = (allowance = Number.POSITIVE_INFINITY) => {
    const answered = Math.min(plan.chunkSize, Math.floor(allowance / 0.1 + 1e-9));
    return {
      requests: plan.chunkSize,
      answered,
      givenUp: 0,
      outOfBudget: answered < plan.chunkSize,
      promptTokens: 10 * answered,
      completionTokens: 5 * answered,
      cost: 0.1 * answered,
    };
  };
  return {
    startGeneration: async () => structuredClone(plan),
    startVerification: async () => structuredClone(plan),
    startJudging: async () => structuredClone(plan),
    checkTeacher: async () => ({ notes: [] }),
    askChunk: async ({ allowance }) => {
      await beforeChunk();
      return asked(allowance);
    },
    askServedChunks: async () => ({ answered: plan.requests, givenUp: 0, cost: 0.1 * plan.requests }),
    submitBatch: async ({ chunk }) => {
      const batch = `batch-${chunk}`;
      if (looks.has(batch)) return { batch: undefined, chunk: asked() };
      looks.set(batch, 0);
      return { batch, requests: plan.chunkSize };
    },
    checkBatch: async ({ batch }) => {
      const look = (looks.get(batch) ?? 0) + 1;
      looks.set(batch, look);
      const ended = batchesEnd && look > 1;
      return { ended, status: ended ? 'completed' : 'in_progress', completed: 0, failed: 0, total: plan.chunkSize };
    },
    collectBatch: async () => asked(),
    cancelBatch: async () => undefined,
    evaluateEndpoint: async () => ({ scores: endpointScores, folder: '/runs/evaluations/endpoints/toy/mmbench' }),
    recordTopUp: async () => undefined,
    finishVerification: async () => ({
      seconds: 1.5,
      reused: false,
      samples: plan.requests,
      answers: plan.requests,
      unanswered: 0,
      promptTokens: 80,
      completionTokens: 40,
    }),
    finishJudging: async () => ({
      seconds: 1.5,
      reused: false,
      judged: plan.requests,
      unjudged: 0,
      promptTokens: 80,
      completionTokens: 40,
    }),
    finishGeneration: async () => ({
      seconds: 1.5,
      reused: false,
      answers: plan.requests,
      unanswered: 0,
      cost: 0.8,
      promptTokens: 80,
      completionTokens: 40,
    }),
  };
}

/** A teacher whose second proposal is of no use. */
export function fakePromptActivities(queue: string): PromptActivities & PromptRequests {
  let revisions = 0;
  return {
    preparePromptOptimization: async () => ({ directory: '/run', queues: { cpu: queue, teacher: queue } }),
    makePromptSamples: async ({ iteration, count }) => ({
      iteration,
      samples: Array.from({ length: count }, (_, index) => ({ id: `s${index}`, images: 'same', dropped: false })),
      samplesFile: `/run/samples-${iteration}.jsonl`,
      promptFile: `/run/prompt-${iteration}.md`,
    }),
    revisePrompt: async () => {
      revisions += 1;
      if (revisions === 2) throw ApplicationFailure.nonRetryable('the proposal lacks its examples', 'TeacherError');
      return { diff: '+13. Be brief.' };
    },
    acceptPrompt: async () => ({ version: 'generate-v2', file: '/run/generate-v2.md' }),
  };
}
