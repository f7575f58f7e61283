/**
 * How long each step may take, how its death is noticed and how it is tried again.
 *
 * - A dead worker is noticed by the heartbeat timeout; activities heartbeat every few seconds.
 * - Cancelling waits until the activity has stopped its trainer.
 * - A person's wrong input (`InputError`) is never retried; what is left of a failed attempt is resumed from.
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

/** Without an end: the activities of the GPU workers give up by themselves on what gets no further. */
const gpuRetry = {
  initialInterval: '1 second',
  backoffCoefficient: 2,
  maximumInterval: '1 minute',
  nonRetryableErrorTypes: ['InputError'],
} satisfies ActivityOptions['retry'];

const cpuRetry = { ...gpuRetry, maximumAttempts: 5 } satisfies ActivityOptions['retry'];

/** Activities of the GPU workers. The worker only watches the trainer, so a short heartbeat timeout is safe. */
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

/** Teachers limit rates and have bad hours; answers already received are kept between attempts. */
const teacherRetry = {
  ...gpuRetry,
  maximumInterval: '10 minutes',
  maximumAttempts: 50,
} satisfies ActivityOptions['retry'];

/** Activities of the CPU workers. They compute in the worker itself, which can hold heartbeats back for a while. */
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
 * Activities that talk to the teacher. Being asked to wait (429) and an hour in which it does not answer are part of
 * a long generation, so attempts are not counted: an activity gives up by itself on what is hopeless, and a refused key
 * or a bad request is not tried again. The teacher's own `Retry-After` takes the place of the interval here.
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
