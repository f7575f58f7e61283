import { z } from 'zod';

export const mergeDtypes = ['base', 'float32', 'bfloat16', 'float16'] as const;

/** How a round's adapter is merged into its base model. */
export const mergeSchema = z
  .strictObject({
    dtype: z
      .enum(mergeDtypes)
      .default('base')
      .describe(
        "Data type of the merged model's weights. base: each as the base model has it. Sums are computed in float32 and rounded once.",
      ),
  })
  .prefault({});
