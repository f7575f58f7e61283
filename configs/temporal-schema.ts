import { z } from 'zod';

const count = z.int().positive();

/** Task queues and timeouts of the workflows. */
export const temporalSchema = z.strictObject({
  taskQueues: z
    .strictObject({ cpu: z.string().min(1).default('data-engine'), gpu: z.string().min(1).default('gpu') })
    .prefault({}),
  roundsPerExecution: count.default(10).describe('Rounds before the workflow continues as new.'),
  finetuneTimeoutMinutes: z
    .number()
    .positive()
    .default(24 * 60),
  stallTimeoutSeconds: z.number().positive().default(600).describe('A trainer without progress this long is dead.'),
});
