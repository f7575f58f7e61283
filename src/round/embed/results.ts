/**
 * What the step `embed` leaves: one row an image, of the pool and of the validation questions.
 */

import { z } from 'zod';
import { imageIdSchema } from '../../core/images/image-id.ts';
import { openSafetensors } from '../../model/files/safetensors.ts';
import type { StepOutcome } from '../step-context.ts';

export interface EmbedOutcome extends StepOutcome {
  images: number;
}

export const embeddingsFile = 'embeddings.safetensors';
export const imageIdsFile = 'image_ids.json';
export const imageIdsSchema = z.object({ pool: z.array(imageIdSchema), validation: z.array(imageIdSchema) });

/** The image ids of the rows: first those of the pool, then those of the validation questions. */
export type EmbeddedImageIds = z.output<typeof imageIdsSchema>;

/** Rows of `width` numbers each, one after another. */
export interface EmbeddingRows {
  embeddings: Float32Array;
  width: number;
}

/** Reads the rows of an embeddings file. */
export async function readEmbeddings(file: string): Promise<EmbeddingRows> {
  const tensors = await openSafetensors(file);
  try {
    const width = tensors.tensors.get('embeddings')?.shape[1] ?? 0;
    return { embeddings: await tensors.read('embeddings'), width };
  } finally {
    await tensors.close();
  }
}
