import { join } from 'node:path';
import { z } from 'zod';
import { imageIdSchema } from '../../core/images/image-id.ts';
import { readJson, readJsonLines } from '../../core/read-json.ts';
import type { StepOutcome } from '../step-context.ts';

export interface RefineOutcome extends StepOutcome {
  accepted: number;
  rejected: number;
}

export const rejectedFile = 'rejected.jsonl';
export const rejectedByReasonFile = 'rejected_by_reason.json';

const rejectedSchema = z.object({ image_id: imageIdSchema, reason: z.string(), detail: z.string(), raw: z.string() });

/** Reads the teacher's answers that were filtered out, with the reason. */
export function readRejected(directory: string): Promise<z.output<typeof rejectedSchema>[]> {
  return readJsonLines(join(directory, rejectedFile), rejectedSchema);
}

/** Reads how many answers were filtered out for each reason. */
export function readRejectedByReason(directory: string): Promise<Record<string, number>> {
  return readJson(join(directory, rejectedByReasonFile), z.record(z.string(), z.number()));
}
