import type { GenerationPlan } from '../src/round/asking/plan.ts';
import type { GenerateOutcome } from '../src/round/generate/results.ts';
import type { VerifyOutcome } from '../src/round/verify/results.ts';
import type { BatchState, SubmittedBatch } from '../src/teacher/batches.ts';
import type { AskedChunk } from '../src/teacher/teacher-chunk.ts';
import type { BatchReference, ChunkReference, StepReference } from './references.ts';

/** The activities of the workflows `generation` and `verification`. Any CPU worker can run them. */
export interface GenerationActivities {
  beginGeneration(reference: StepReference): Promise<GenerationPlan>;
  askChunk(reference: ChunkReference): Promise<AskedChunk>;
  submitBatch(reference: ChunkReference): Promise<SubmittedBatch>;
  lookAfterBatch(reference: BatchReference): Promise<BatchState>;
  collectBatch(reference: BatchReference & Pick<ChunkReference, 'chunk' | 'purpose'>): Promise<AskedChunk>;
  cancelBatch(reference: BatchReference): Promise<void>;
  /** Recording a top-up again changes nothing. */
  recordTopUp(reference: StepReference & { id: string; amount: number }): Promise<void>;
  finishGeneration(reference: StepReference): Promise<GenerateOutcome>;
  /** Start and finish of a verification; the other activities serve both. */
  beginVerification(reference: StepReference): Promise<GenerationPlan>;
  finishVerification(reference: StepReference): Promise<VerifyOutcome>;
}
