/** What of a model a finetune job trains. */
import { z } from 'zod';
import { trainableParts } from '../config/lora-schema.ts';

const names = z.array(z.string());

/** Keys of a finetune job. */
export const trainedSettings = {
  lora: z.strictObject({
    rank: z.number().int().positive(),
    alpha: z.number().positive(),
    dropout: z.number().min(0).lt(1),
    /** Names of the language model's layers, or names of layers by part. */
    targetModules: z.union([
      names.nonempty(),
      z.strictObject({ language: names.optional(), vision: names.optional(), projector: names.optional() }),
    ]),
    /** Whether updates are scaled by alpha / √rank. */
    rslora: z.boolean().optional(),
    /** Whether magnitudes are learned apart from directions. */
    dora: z.boolean().optional(),
  }),
  /** Parts that are trained whole, and stored with the adapter. */
  trainable: z.array(z.enum(trainableParts)).optional(),
};
