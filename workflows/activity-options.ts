/**
 * Time limits, heartbeats and retries of the activities.
 *
 * - A lost worker is noticed by the heartbeat timeout; activities heartbeat every few seconds.
 * - Cancelling waits until the activity has stopped its trainer.
 * - An `InputError` is never retried: a person must repair the input. An attempt resumes from what a failed one left.
 */
import { ActivityCancellationType, type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import type { CpuActivities } from '../activities/cpu.ts';
import type { GpuActivities } from '../activities/gpu.ts';
import type { PromptRequests } from '../activities/prompt.ts';
import type { StepReference } from '../activities/references.ts';
import type { TeacherActivities } from '../activities/teacher.ts';
import { type OutcomeOf, rowOf, type StepName } from '../src/round/steps.ts';
import type { RunPlan } from './inputs.ts';

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

/** Teachers limit rates and may be down for hours; answers received are kept between attempts. */
const teacherRetry = { ...gpuRetry, maximumInterval: '5 minutes' } satisfies ActivityOptions['retry'];
const promptRetry = {
  ...gpuRetry,
  maximumInterval: '10 minutes',
  maximumAttempts: 50,
} satisfies ActivityOptions['retry'];

/**
 * Activities of the GPU workers, which only watch their trainer, so that a short heartbeat timeout is safe.
 *
 * @param minutes that an attempt may take
 */
export function gpuActivities(taskQueue: string, summary: string, minutes: number): GpuActivities {
  return proxyActivities<GpuActivities>({
    ...common,
    taskQueue,
    startToCloseTimeout: `${minutes} minutes`,
    heartbeatTimeout: '20 seconds',
    retry: gpuRetry,
    summary,
  });
}

/**
 * Activities of the CPU workers. They compute in processes of their own; on a busy machine heartbeats may still be late.
 *
 * @param taskQueue default: the workflow's own
 */
export function cpuActivities(taskQueue: string | undefined, summary: string, minutes: number): CpuActivities {
  return proxyActivities<CpuActivities>({
    ...common,
    taskQueue,
    startToCloseTimeout: `${minutes} minutes`,
    heartbeatTimeout: '1 minute',
    retry: cpuRetry,
    summary,
  });
}

/** A notification is late after a quarter of an hour: nothing waits for it longer, at the end of a run either. */
export function notificationActivities(taskQueue: string, summary: string): Pick<CpuActivities, 'notify'> {
  return proxyActivities<CpuActivities>({
    ...common,
    taskQueue,
    startToCloseTimeout: '2 minutes',
    scheduleToCloseTimeout: '15 minutes',
    heartbeatTimeout: '1 minute',
    retry: cpuRetry,
    summary,
  });
}

type StepActivity<Name extends StepName> = (reference: StepReference) => Promise<OutcomeOf<Name>>;

/**
 * The activity of a step, with name, queue and time limit of the step's row in the table.
 *
 * @param minutes of an attempt, where the row leaves them to the config
 */
export function stepActivity<Name extends StepName>(
  plan: RunPlan,
  name: Name,
  minutes = rowOf(name).minutes,
): StepActivity<Name> {
  if (minutes === undefined) throw new Error(`the step ${name} has no time limit`);
  const { queue, activity = name } = rowOf(name);
  const activities = (queue === 'gpu' ? gpuActivities : cpuActivities)(queueOf(plan, name), summaryOf(name), minutes);
  return (activities as unknown as Record<string, StepActivity<Name>>)[activity] as StepActivity<Name>;
}

/** The queue of a step's activity: a teacher that the GPU workers serve is asked there. */
export function queueOf({ queues, servesTeacher = false }: RunPlan, name: StepName): string {
  const { queue, asksTeacher = false } = rowOf(name);
  return queues[servesTeacher && asksTeacher ? 'gpu' : queue];
}

/** What the step does, as a sentence for the Temporal UI. */
function summaryOf(name: StepName): string {
  const { description } = rowOf(name);
  return description.charAt(0).toUpperCase() + description.slice(1);
}

/** So long a chunk is tried; then the step fails, and `temporal.failedStep` says what follows. */
const teacherDays = 3;

/**
 * Activities that ask the teacher. Rate limits (429) and an hour without an answer are part of a long generation, so
 * there is no limit on attempts, only on days: an activity fails for good by itself, such as for a refused key, a bad request
 * or a server that only sends what can't be used. The teacher's own `Retry-After` replaces the interval here.
 */
export function teacherActivities(taskQueue: string, summary: string): TeacherActivities {
  return proxyActivities<TeacherActivities>({
    ...common,
    taskQueue,
    startToCloseTimeout: '6 hours',
    scheduleToCloseTimeout: `${teacherDays} days`,
    heartbeatTimeout: '30 seconds',
    retry: teacherRetry,
    summary,
  });
}

/** Longest that a server of the teacher's is held at a time; asking then resumes. */
const heldMinutes = 24 * 60;

/** The activity that starts the teacher's server and asks it. */
export function servedTeacherActivities(taskQueue: string): GpuActivities {
  return gpuActivities(taskQueue, 'Start the server of the teacher, ask it, and stop it', heldMinutes);
}

/**
 * The requests of Interactive Prompt Optimization: a few to the teacher each, for which a person waits.
 */
export function promptRequests(taskQueue: string, summary: string): PromptRequests {
  return proxyActivities<PromptRequests>({
    ...common,
    taskQueue,
    startToCloseTimeout: '1 hour',
    heartbeatTimeout: '1 minute',
    retry: promptRetry,
    summary,
  });
}
