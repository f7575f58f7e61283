import { z } from 'zod';

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
