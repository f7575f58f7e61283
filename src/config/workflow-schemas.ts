import { z } from 'zod';

const count = z.int().positive();

/** Task queues and timeouts of the workflows. */
export const temporalSchema = z.strictObject({
  taskQueues: z
    .strictObject({
      cpu: z.string().min(1).default('data-engine').describe('Task queue of the steps that need no GPU.'),
      gpu: z
        .string()
        .min(1)
        .default('gpu')
        .describe('Task queue of the GPU workers. One per kind of GPU, such as gpu-a100, keeps them apart.'),
    })
    .prefault({}),
  roundsPerExecution: count.default(10).describe('Rounds before the workflow continues as new.'),
  maxConcurrentShards: count
    .max(1000)
    .default(100)
    .describe(
      'Shards of an evaluation or embedding that are scheduled at a time. More than there are GPU workers, but not many more: each one that waits makes the server slower.',
    ),
  finetuneTimeoutMinutes: z
    .number()
    .positive()
    .default(24 * 60)
    .describe('A finetune that takes longer is stopped and retried.'),
  stallTimeoutSeconds: z
    .number()
    .positive()
    .default(600)
    .describe('A trainer without progress for this long is stopped.'),
  failedStep: z
    .strictObject({
      action: z
        .enum(['fail', 'wait'])
        .default('fail')
        .describe(
          'When the retries of a step are used up: fail ends the run; wait waits for `retryStep`, `skipStep` or `giveUp`.',
        ),
      waitHours: z.number().positive().default(72).describe('The run ends when nobody has answered in this time.'),
    })
    .prefault({}),
});

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
