import { join } from 'node:path';
import { z } from 'zod';
import { fileExists } from '../../core/files.ts';
import { readJsonLines } from '../../core/read-json.ts';
import type { StepOutcome } from '../step-context.ts';
import { adapterConfigFile, adapterNoteFile } from './base-model-name.ts';

export interface FinetuneOutcome extends StepOutcome {
  /** Distinct samples in the mixture. */
  samples: number;
  steps: number;
  /** Mean loss of the last steps. */
  loss?: number;
}

export const adapterFile = 'adapter_model.safetensors';
export const lossFile = 'loss.jsonl';
/** The score of the state after each epoch; only with `finetune.keep: best-validation`. */
export const validationScoresFile = 'validation.jsonl';
/** The validation loss of states; only with `finetune.validationLoss`. */
export const validationLossFile = 'validation-loss.jsonl';
export const finetuneFiles = [adapterConfigFile, adapterFile, lossFile, adapterNoteFile];

const lossSchema = z.object({ step: z.number(), loss: z.number() });

/** Reads the loss of each optimizer step. */
export function readLosses(directory: string): Promise<z.output<typeof lossSchema>[]> {
  return readJsonLines(join(directory, lossFile), lossSchema);
}

/** Reads the validation losses; none where the finetune has no file of them. */
export async function readValidationLosses(directory: string): Promise<z.output<typeof lossSchema>[]> {
  const file = join(directory, validationLossFile);
  return (await fileExists(file)) ? readJsonLines(file, lossSchema) : [];
}
