/**
 * What the activities do with the chunks of a round's requests.
 */
import {
  type BatchState,
  cancelBatch,
  collectBatch,
  readBatchState,
  type SubmittedBatch,
  submitBatch,
} from '../../teacher/batches.ts';
import { countChunks } from '../../teacher/chunks.ts';
import { appendToLedger } from '../../teacher/ledger.ts';
import { askChunkOnline } from '../../teacher/modes.ts';
import type { AskedChunk, TeacherChunk } from '../../teacher/teacher-chunk.ts';
import { generationWork } from '../generate/work.ts';
import { judgeWork } from '../judge/work.ts';
import { withServedTeacher } from '../served-teacher.ts';
import type { StepContext } from '../step-context.ts';
import { connectTeacher } from '../teacher.ts';
import { verificationWork } from '../verify/work.ts';
import { type AskedChunks, askChunks, attemptsOf } from './ask-chunks.ts';
import { openChunk, type Purpose, readPlan, type TeacherWork } from './work.ts';

const works: Readonly<Record<Purpose, (context: StepContext) => Promise<TeacherWork>>> = {
  generate: generationWork,
  verify: verificationWork,
  judge: judgeWork,
};

/** A chunk of a list of requests; without a purpose: of the requests for new samples. */
export interface ChunkOfWork {
  purpose?: Purpose | undefined;
  chunk: number;
}

/**
 * Asks one chunk of requests, each by itself.
 *
 * @param input.allowance what the chunk may cost since the work was started; default: no limit
 * @throws TeacherError while requests are unanswered
 */
export async function askWorkChunk(
  context: StepContext,
  input: ChunkOfWork & { allowance?: number | undefined },
): Promise<AskedChunk> {
  const { signal, onProgress } = context;
  return askChunkOnline(await chunkOf(context, input), { allowance: input.allowance, signal, onProgress });
}

/**
 * Asks the chunks from one on, one after another, a teacher whose server this worker starts for that (`teacher.serve`).
 *
 * @param input.allowance what they may cost since the work was started; default: no limit
 * @throws InputError when this worker has no such server; TrainerError when it does not start or ends; TeacherError
 */
export function askServedChunks(
  context: StepContext,
  { purpose = 'generate', chunk, allowance }: ChunkOfWork & { allowance?: number | undefined },
): Promise<AskedChunks> {
  return withServedTeacher(context, async (served) => {
    const work = await works[purpose](served);
    const { chunks } = await readPlan(work.planFile);
    return askChunks(served, work, {
      ...{ from: chunk, chunks: countChunks(chunks), chunkSize: chunks.size, requests: chunks.requests },
      ...{ allowance, attempts: attemptsOf(context) },
    });
  });
}

/** Submits a chunk as a batch. @throws TeacherError; InputError for a batch that is too large to upload */
export async function submitWorkBatch(
  context: StepContext,
  input: ChunkOfWork & { allowance?: number | undefined },
): Promise<SubmittedBatch> {
  const { signal } = context;
  return submitBatch(await chunkOf(context, input), { allowance: input.allowance, signal });
}

/** Writes down the answers of a batch that has ended. @throws TeacherError */
export async function collectWorkBatch(
  context: StepContext,
  input: ChunkOfWork & { batch: string },
): Promise<AskedChunk> {
  return collectBatch(await chunkOf(context, input), input.batch);
}

/** Reads the state of a batch. @throws TeacherError, not retryable when the service refused the batch */
export function readWorkBatch(context: StepContext, { batch }: { batch: string }): Promise<BatchState> {
  return connectTeacher(context, (client) => readBatchState(client, batch));
}

/** Cancels a batch; the answers that it has stay. @throws TeacherError */
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
