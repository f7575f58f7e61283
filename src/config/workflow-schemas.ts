import { z } from 'zod';
import { timeoutMinutes, timerSeconds, waitHours } from '../core/durations.ts';

const count = z.int().positive();

/** Task queues and timeouts of the workflows. */
export const temporalSchema = z.strictObject({
  taskQueues: z
    .strictObject({
      cpu: z.string().min(1).default('data-engine').describe('Task queue of the steps that need no GPU.'),
      gpu: z
        .string()
        .min(1)
        .default('data-engine-gpu')
        .describe(
          'Task queue of the GPU workers. One per kind of GPU, such as data-engine-gpu-a100, keeps them apart.',
        ),
      teacher: z
        .string()
        .min(1)
        .optional()
        .describe('Task queue of the requests to the teacher. Default: that of `cpu`, with `-teacher` added.'),
    })
    .prefault({}),
  roundsPerExecution: count.default(10).describe('Rounds before the workflow continues as new.'),
  maxConcurrentShards: count
    .max(1000)
    .default(100)
    .describe(
      'Shards of an evaluation or embedding that are scheduled at a time. More than there are GPU workers, but not many more: each one that waits makes the server slower.',
    ),
  finetuneTimeoutMinutes: timeoutMinutes
    .default(24 * 60)
    .describe('A finetune that takes longer is stopped and retried.'),
  stallTimeoutSeconds: timerSeconds.default(600).describe('A trainer without progress for this long is stopped.'),
  failedStep: z
    .strictObject({
      action: z
        .enum(['fail', 'wait'])
        .default('fail')
        .describe(
          'When the retries of a step are used up: fail ends the run; wait waits for `retryStep`, `skipStep` or `giveUp`.',
        ),
      waitHours: waitHours.default(72).describe('The run ends when nobody has answered in this time.'),
    })
    .prefault({}),
});

/** The queues of a run. */
export interface TaskQueues {
  cpu: string;
  gpu: string;
  teacher: string;
}

export function taskQueuesOf({ temporal }: { temporal: z.output<typeof temporalSchema> }): TaskQueues {
  const { cpu, gpu, teacher = teacherQueueOf(cpu) } = temporal.taskQueues;
  return { cpu, gpu, teacher };
}

/** Those of a config that names none. */
export const usualTaskQueues = taskQueuesOf({ temporal: temporalSchema.parse({}) });

/** The queue of the requests to the teacher where nothing else is set: a CPU worker polls it besides its own. */
export function teacherQueueOf(cpuQueue: string): string {
  return `${cpuQueue}-teacher`;
}

export const notifyEvents = ['round', 'failed', 'approval', 'done'] as const;

/** Notifications to a webhook, in the format of Slack and many others. */
export const notifySchema = z.strictObject({
  webhookVariable: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Environment variable of the CPU workers with the address. The address is a secret, so no file contains it. Default: no notifications.',
    ),
  on: z
    .array(z.enum(notifyEvents))
    .default([...notifyEvents])
    .describe(
      'round: one is finished. failed: the run has failed. approval: a round waits for a person. done: the run has ended.',
    ),
});
