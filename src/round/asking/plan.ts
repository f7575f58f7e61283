import { readManifest } from '../../core/manifest.ts';
import { writeJson } from '../../core/write-file.ts';
import type { TeacherRequest } from '../../teacher/call-log.ts';
import { type ChunkIndex, countChunks, indexChunks } from '../../teacher/chunks.ts';
import { estimateGeneration, type GenerationEstimate } from '../../teacher/estimate.ts';
import { readLedger } from '../../teacher/ledger.ts';
import type { TeacherModeName } from '../../teacher/provider.ts';
import type { StepContext } from '../step-context.ts';
import { teacherOf } from '../teacher.ts';
import { readPlan, type TeacherWork } from './work.ts';

/** How a round's requests to the teacher are to be asked. Small numbers only: it travels through Temporal. */
export interface GenerationPlan {
  /** True when it was done already, and only its outcome is to be read. */
  done: boolean;
  mode: TeacherModeName;
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
  context: StepContext,
  work: TeacherWork<Request>,
  { done }: { done: boolean },
): Promise<GenerationPlan> {
  const teacher = teacherOf(context);
  const { settings, mode } = teacher;
  const price = await mode.price(settings);
  const ledger = await readLedger(context.run.root);
  const chunks = await chunkIndex(work, mode.chunkSize(settings));
  const costBefore: Record<string, number> = {};
  for (let chunk = 0; chunk < countChunks(chunks); chunk += 1) {
    const cost = ledger.bySource.get(work.ledgerSource(chunk))?.cost;
    if (cost) costBefore[chunk] = cost;
  }
  if (!done) await writeJson(work.planFile, { chunks, costBefore });
  return {
    done,
    mode: settings.mode,
    chunks: countChunks(chunks),
    chunkSize: chunks.size,
    requests: chunks.requests,
    atOnce: mode.maxConcurrentChunks(settings),
    estimate: await estimateGeneration({ work, chunks, teacher, price, ledger }),
    currency: price?.currency,
    spent: ledger.cost,
    limit: settings.budget && settings.budget.limit + ledger.toppedUp,
    whenReached: settings.budget?.whenReached ?? 'wait',
    poll: { seconds: settings.batch.pollSeconds, maximumSeconds: settings.batch.maximumPollSeconds },
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
