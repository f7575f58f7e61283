/**
 * The chunks of a round's work as the activities ask them.
 */
import {
  type BatchState,
  cancelBatch,
  collectBatch,
  readBatchState,
  type SubmittedBatch,
  submitBatch,
} from '../../teacher/batches.ts';
import { appendToLedger } from '../../teacher/ledger.ts';
import { askChunkOnline } from '../../teacher/modes.ts';
import type { AskedChunk, TeacherChunk } from '../../teacher/teacher-chunk.ts';
import { generationWork } from '../generate/work.ts';
import type { StepContext } from '../step-context.ts';
import { connectTeacher } from '../teacher.ts';
import { verificationWork } from '../verify/work.ts';
import { openChunk, type Purpose, type TeacherWork } from './work.ts';

const works: Readonly<Record<Purpose, (context: StepContext) => Promise<TeacherWork>>> = {
  generate: generationWork,
  verify: verificationWork,
};

/** Which chunk of which list of requests; without a purpose: of the requests for new samples. */
export interface ChunkOfWork {
  purpose?: Purpose | undefined;
  chunk: number;
}

/**
 * Asks one chunk of requests, each by itself.
 *
 * @param input.allowance what the chunk may cost since asking was started; default: anything
 * @throws TeacherError while requests are unanswered
 */
export async function askWorkChunk(
  context: StepContext,
  input: ChunkOfWork & { allowance?: number | undefined },
): Promise<AskedChunk> {
  const { signal, onProgress } = context;
  return askChunkOnline(await chunkOf(context, input), { allowance: input.allowance, signal, onProgress });
}

/** Submits a chunk as a batch. @throws TeacherError; InputError for a batch that is too large to upload */
export async function submitWorkBatch(
  context: StepContext,
  input: ChunkOfWork & { allowance?: number | undefined },
): Promise<SubmittedBatch> {
  const { signal } = context;
  return submitBatch(await chunkOf(context, input), { allowance: input.allowance, signal });
}

/** Keeps the answers of a chunk's batch that has ended. @throws TeacherError */
export async function collectWorkBatch(
  context: StepContext,
  input: ChunkOfWork & { batch: string },
): Promise<AskedChunk> {
  return collectBatch(await chunkOf(context, input), input.batch);
}

/** How far a batch is. @throws TeacherError, not retryable when the batch could not be read */
export function readWorkBatch(context: StepContext, { batch }: { batch: string }): Promise<BatchState> {
  return connectTeacher(context, (client) => readBatchState(client, batch));
}

/** Cancels a batch; what is done of it stays done. @throws TeacherError */
export function cancelWorkBatch(context: StepContext, { batch }: { batch: string }): Promise<void> {
  return connectTeacher(context, (client) => cancelBatch(client, batch));
}

/**
 * Adds to the run's budget, for this round and those after it.
 *
 * @param topUp.id two of the same id count once
 */
export async function recordTopUp(
  { run }: Pick<StepContext, 'run'>,
  { id, amount }: { id: string; amount: number },
): Promise<void> {
  await appendToLedger(run.root, { kind: 'top_up', at: new Date().toISOString(), id, amount });
}

async function chunkOf(context: StepContext, { purpose = 'generate', chunk }: ChunkOfWork): Promise<TeacherChunk> {
  return openChunk(context, await works[purpose](context), chunk);
}
