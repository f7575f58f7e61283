/**
 * The activities that wait for the teacher. They have a queue and slots of their own: they hold a slot for long, and take
 * hardly any processor time.
 */
import {
  askWorkChunk,
  cancelWorkBatch,
  collectWorkBatch,
  readWorkBatch,
  submitWorkBatch,
} from '../src/round/asking/chunk.ts';
import type { BatchState, SubmittedBatch } from '../src/teacher/batches.ts';
import type { AskedChunk } from '../src/teacher/teacher-chunk.ts';
import { createPromptRequests, type PromptRequests } from './prompt.ts';
import { type BatchReference, type ChunkReference, withParsedInputs } from './references.ts';
import { type ActivityDependencies, runStep } from './run-step.ts';

export interface TeacherActivities extends PromptRequests {
  askChunk(reference: ChunkReference): Promise<AskedChunk>;
  submitBatch(reference: ChunkReference): Promise<SubmittedBatch>;
  checkBatch(reference: BatchReference): Promise<BatchState>;
  collectBatch(reference: BatchReference & Pick<ChunkReference, 'chunk' | 'purpose'>): Promise<AskedChunk>;
  cancelBatch(reference: BatchReference): Promise<void>;
}

/** Makes the activities of the queue for the teacher. */
export function createTeacherActivities(dependencies: ActivityDependencies): TeacherActivities {
  return withParsedInputs({
    askChunk: ({ chunk, allowance, purpose, ...reference }) =>
      runStep(reference, dependencies, (context) => askWorkChunk(context, { chunk, allowance, purpose })),
    submitBatch: ({ chunk, allowance, purpose, ...reference }) =>
      runStep(reference, dependencies, (context) => submitWorkBatch(context, { chunk, allowance, purpose })),
    checkBatch: ({ batch, ...reference }) =>
      runStep(reference, dependencies, (context) => readWorkBatch(context, { batch })),
    collectBatch: ({ chunk, batch, purpose, ...reference }) =>
      runStep(reference, dependencies, (context) => collectWorkBatch(context, { chunk, batch, purpose })),
    cancelBatch: ({ batch, ...reference }) =>
      runStep(reference, dependencies, (context) => cancelWorkBatch(context, { batch })),
    ...createPromptRequests(dependencies),
  });
}
