import { z } from 'zod';

const count = z.int().positive();

/** Task queues and timeouts of the workflows. */
export const temporalSchema = z.strictObject({
  taskQueues: z
    .strictObject({
      cpu: z.string().min(1).default('data-engine').describe('Of the steps that need no GPU.'),
      gpu: z
        .string()
        .min(1)
        .default('gpu')
        .describe('Of the GPU workers; one a kind of GPU, as gpu-a100, keeps kinds apart.'),
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
    .describe('A finetune that takes longer is stopped and tried again.'),
  stallTimeoutSeconds: z.number().positive().default(600).describe('A trainer without progress this long is dead.'),
  failedStep: z
    .strictObject({
      action: z
        .enum(['fail', 'wait'])
        .default('fail')
        .describe(
          'What a step does whose retries are spent: end the run, or wait for `retryStep`, `skipStep` or `giveUp`.',
        ),
      waitHours: z.number().positive().default(72).describe('A step that nobody answered in this time ends the run.'),
    })
    .prefault({}),
});

export const notifyEvents = ['round', 'failed', 'approval', 'done'] as const;

/** A webhook that is told how a run goes, as Slack and many others take it. */
export const notifySchema = z.strictObject({
  webhookVariable: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Environment variable of the CPU workers that holds the address. An address lets anyone write, so it stands in no file. Without it nobody is told.',
    ),
  on: z
    .array(z.enum(notifyEvents))
    .default([...notifyEvents])
    .describe(
      'round: one is finished. failed: the run has failed. approval: a round waits for a person. done: the run has ended.',
    ),
});
