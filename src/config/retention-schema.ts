import { z } from 'zod';

/** What a run keeps when it is pruned. The last good round, rounds under way and what other runs name stay in any case. */
export const retentionSchema = z.strictObject({
  lastRounds: z
    .int()
    .nonnegative()
    .default(2)
    .describe(
      'The newest rounds that keep their merged models. Others keep the adapter, of which the same model is made again when it is needed. The last good round always keeps its model.',
    ),
  best: z
    .boolean()
    .default(true)
    .describe('Whether the round with the best score on the validation questions keeps its merged model.'),
});

export type Retention = z.output<typeof retentionSchema>;
