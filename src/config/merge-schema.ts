import { z } from 'zod';

export const mergeDtypes = ['base', 'float32', 'bfloat16', 'float16'] as const;

/** How a round's adapter is merged into its base model. */
export const mergeSchema = z
  .strictObject({
    dtype: z
      .enum(mergeDtypes)
      .default('base')
      .describe(
        "TensorFlow: data type of the merged model's weights, which torchrun writes in float32. base: each as the base model has it. Sums are computed in float32 and rounded once.",
      ),
  })
  .prefault({});
