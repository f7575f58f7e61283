import { readManifest } from '../../core/manifest.ts';
import { writeJson } from '../../core/write-file.ts';
import { type ChunkIndex, countChunks, indexChunks } from '../../teacher/chunks.ts';
import { readLedger } from '../../teacher/ledger.ts';
import { readPrice } from '../../teacher/prices.ts';
import type { TeacherRequest } from '../../teacher/raw-answers.ts';
import type { StepContext } from '../step-context.ts';
import { chunksAtOnce } from './chunk.ts';
import { estimateGeneration, type GenerationEstimate } from './estimate.ts';
import { readPlan } from './folder.ts';
import type { TeacherWork } from './work.ts';

/** How a round's requests to the teacher are to be asked. Small numbers only: it travels through Temporal. */
export interface GenerationPlan {
  /** True when it was done already, and only its outcome is to be read. */
  done: boolean;
  mode: 'online' | 'batch';
  chunks: number;
  chunkSize: number;
  requests: number;
  /** Chunks, or batches, under way at once. */
  atOnce: number;
  estimate: GenerationEstimate;
  /** Of the prices; absent when the model has none. */
  currency?: string | undefined;
  /** What the run has cost before, in all rounds. */
  spent: number;
  /** What it may cost, top-ups included; absent without a budget. */
  limit?: number | undefined;
  whenReached: 'wait' | 'finish';
  poll: { seconds: number; maximumSeconds: number };
}

/**
 * Divides requests into chunks, notes in their folder where each begins, and says what asking them will cost.
 *
 * @param state.done that it was done already
 */
export async function planWork<Request extends TeacherRequest>(
  { config, run }: StepContext,
  work: TeacherWork<Request>,
  { done }: { done: boolean },
): Promise<GenerationPlan> {
  const { teacher } = config;
  const price = await readPrice(teacher.prices, teacher.model, teacher.mode);
  const ledger = await readLedger(run.root);
  const chunks = await chunkIndex(work, teacher.mode === 'batch' ? teacher.batch.requests : teacher.chunkRequests);
  const costBefore: Record<string, number> = {};
  for (let chunk = 0; chunk < countChunks(chunks); chunk += 1) {
    const cost = ledger.bySource.get(work.ledgerSource(chunk))?.cost;
    if (cost) costBefore[chunk] = cost;
  }
  if (!done) await writeJson(work.planFile, { chunks, costBefore });
  return {
    done,
    mode: teacher.mode,
    chunks: countChunks(chunks),
    chunkSize: chunks.size,
    requests: chunks.requests,
    atOnce: teacher.mode === 'batch' ? teacher.batch.atOnce : chunksAtOnce(config),
    estimate: await estimateGeneration({ work, chunks, teacher, price, ledger }),
    currency: price?.currency,
    spent: ledger.cost,
    limit: teacher.budget && teacher.budget.limit + ledger.toppedUp,
    whenReached: teacher.budget?.whenReached ?? 'wait',
    poll: { seconds: teacher.batch.pollSeconds, maximumSeconds: teacher.batch.maximumPollSeconds },
  };
}

// The calls already made are filed by chunk, so an index that is there stays, whatever the config says now.
async function chunkIndex<Request extends TeacherRequest>(
  { planFile, requestsFile, directory }: TeacherWork<Request>,
  size: number,
): Promise<ChunkIndex> {
  const earlier = await readPlan(planFile).catch(() => undefined);
  if (earlier) return earlier.chunks;
  const manifest = await readManifest(directory);
  return indexChunks(requestsFile, manifest?.metrics.chunkSize ?? size);
}
