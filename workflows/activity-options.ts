/**
 * Time limits, heartbeats and retries of the activities.
 *
 * - A lost worker is noticed by the heartbeat timeout; activities heartbeat every few seconds.
 * - Cancelling waits until the activity has stopped its trainer.
 * - An `InputError` is never retried: a person must repair the input. An attempt resumes from what a failed one left.
 */
import { ActivityCancellationType, type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import type { CpuActivities } from '../activities/cpu.ts';
import type { GenerationActivities } from '../activities/generation.ts';
import type { GpuActivities } from '../activities/gpu.ts';
import type { PromptActivities } from '../activities/prompt.ts';
import type { RunPlan } from './messages.ts';

const common = {
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
} satisfies ActivityOptions;

/** No limit on attempts: the activities of the GPU workers fail by themselves when they make no progress. */
const gpuRetry = {
  initialInterval: '1 second',
  backoffCoefficient: 2,
  maximumInterval: '1 minute',
  nonRetryableErrorTypes: ['InputError'],
} satisfies ActivityOptions['retry'];

const cpuRetry = { ...gpuRetry, maximumAttempts: 5 } satisfies ActivityOptions['retry'];

/** Activities of the GPU workers, which only watch their trainer, so that a short heartbeat timeout is safe. */
export function gpuActivities(plan: RunPlan, summary: string, startToCloseMinutes: number): GpuActivities {
  return proxyActivities<GpuActivities>({
    ...common,
    taskQueue: plan.queues.gpu,
    startToCloseTimeout: `${startToCloseMinutes} minutes`,
    heartbeatTimeout: '20 seconds',
    retry: gpuRetry,
    summary,
  });
}

/** Teachers limit rates and may be down for hours; answers received are kept between attempts. */
const teacherRetry = {
  ...gpuRetry,
  maximumInterval: '10 minutes',
  maximumAttempts: 50,
} satisfies ActivityOptions['retry'];

/** Activities of the CPU workers. They compute in the worker itself, which can delay heartbeats for a while. */
export function cpuActivities(summary: string, startToCloseMinutes: number, taskQueue?: string): CpuActivities {
  return proxyActivities<CpuActivities>({
    ...common,
    taskQueue,
    startToCloseTimeout: `${startToCloseMinutes} minutes`,
    heartbeatTimeout: '1 minute',
    retry: cpuRetry,
    summary,
  });
}

/**
 * Activities that ask the teacher. Rate limits (429) and an hour without an answer are part of a long generation, so
 * there is no limit on attempts: an activity fails for good by itself, such as for a refused key or a bad request. The
 * teacher's own `Retry-After` replaces the interval here.
 */
export function teacherActivities(summary: string, taskQueue: string): GenerationActivities {
  return proxyActivities<GenerationActivities>({
    ...common,
    taskQueue,
    startToCloseTimeout: '6 hours',
    heartbeatTimeout: '30 seconds',
    retry: { ...gpuRetry, maximumInterval: '5 minutes' },
    summary,
  });
}

/** The activities of Interactive Prompt Optimization: a few requests to the teacher each. */
export function promptActivities(summary: string, taskQueue?: string): PromptActivities {
  return proxyActivities<PromptActivities>({
    ...common,
    taskQueue,
    startToCloseTimeout: '1 hour',
    heartbeatTimeout: '1 minute',
    retry: teacherRetry,
    summary,
  });
}
