import { join } from 'node:path';
import { z } from 'zod';
import { readJson } from '../../core/read-json.ts';
import type { StepOutcome } from '../step-context.ts';

export interface AppendOutcome extends StepOutcome {
  /** Content hash of the dataset version. */
  version: string;
  samplesAdded: number;
  /** Samples that a person has not decided about: nothing was appended. */
  undecided?: number | undefined;
}

/** Where a person decided about samples: the decisions that count. */
export const reviewFile = 'review.jsonl';
export const versionFile = 'version.json';

/** Reads the id of the dataset version. */
export async function readVersionId(directory: string): Promise<string> {
  return (await readJson(join(directory, versionFile), z.object({ id: z.string() }))).id;
}
