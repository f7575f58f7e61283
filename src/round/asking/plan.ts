import { z } from 'zod';
import { taskQueuesOf } from '../../config/workflow-schemas.ts';
import { readManifest } from '../../core/manifest.ts';
import { readJson } from '../../core/read-json.ts';
import { writeJson } from '../../core/write-file.ts';
import type { TeacherRequest } from '../../teacher/call-log.ts';
import { type ChunkIndex, countChunks, indexChunks } from '../../teacher/chunks.ts';
import { estimateGeneration, type GenerationEstimate } from '../../teacher/estimate.ts';
import { readLedger } from '../../teacher/ledger.ts';
import type { TeacherModeName } from '../../teacher/provider.ts';
import { limitedBudget } from '../../teacher/spending.ts';
import type { StepContext } from '../step-context.ts';
import { countedPrice, teacherOf } from '../teacher.ts';
import { readPlan, type TeacherWork } from './work.ts';

/** How a list of requests will be asked. Small numbers only: it travels through Temporal. */
export interface GenerationPlan {
  /** True when the step was done before, and only its outcome is to be read. */
  done: boolean;
  mode: TeacherModeName;
  chunks: number;
  chunkSize: number;
  requests: number;
  /** Chunks, or batches, that may run at the same time. */
  maxConcurrentChunks: number;
  estimate: GenerationEstimate;
  /** The currency of the prices; absent when the model has no price. */
  currency?: string | undefined;
  /** What the run has cost so far, in all rounds. */
  spent: number;
  /** What the run may cost, top-ups included; absent without a budget. */
  limit?: number | undefined;
  whenReached: 'wait' | 'finish';
  poll: { seconds: number; maximumSeconds: number };
  /** The queue of the GPU workers, where one of them starts the teacher's server and asks all chunks itself. */
  servedOn?: string | undefined;
}

/**
 * Divides requests into chunks, writes where each starts into the step's folder, and estimates what they will cost.
 *
 * @param state.done whether the step was done before
 */
export async function planWork<Request extends TeacherRequest>(
  context: StepContext,
  work: TeacherWork<Request>,
  { done }: { done: boolean },
): Promise<GenerationPlan> {
  const teacher = teacherOf(context);
  const { settings, mode } = teacher;
  const isServed = context.config.teacher.serve !== undefined;
  const budget = limitedBudget(settings);
  const price = await mode.price(settings);
  const ledger = await readLedger(context.run.root);
  const chunks = await chunkIndex(work, mode.chunkSize(settings));
  const costBefore: Record<string, number> = {};
  for (let chunk = 0; chunk < countChunks(chunks); chunk += 1) {
    const cost = ledger.bySource.get(work.ledgerSource(chunk))?.cost;
    if (cost) costBefore[chunk] = cost;
  }
  if (!done) {
    await writeJson(work.planFile, { chunks, costBefore });
    if (work.sizeFile !== undefined) await writeJson(work.sizeFile, { size: chunks.size });
  }
  return {
    done,
    mode: settings.mode,
    chunks: countChunks(chunks),
    chunkSize: chunks.size,
    requests: chunks.requests,
    maxConcurrentChunks: isServed ? 1 : mode.maxConcurrentChunks(settings),
    estimate: await estimateGeneration({ work, chunks, teacher, price, ledger }),
    currency: (await countedPrice(context))?.currency,
    spent: ledger.cost,
    limit: budget && budget.limit + ledger.toppedUp,
    whenReached: budget?.whenReached ?? 'wait',
    poll: { seconds: settings.batch.pollSeconds, maximumSeconds: settings.batch.maximumPollSeconds },
    ...(isServed && { servedOn: taskQueuesOf(context.config).gpu }),
  };
}

// Calls are logged by chunk, so an existing division stays, whatever the config says now.
async function chunkIndex<Request extends TeacherRequest>(
  { planFile, requestsFile, directory, sizeFile }: TeacherWork<Request>,
  size: number,
): Promise<ChunkIndex> {
  const earlier = await readPlan(planFile).catch(() => undefined);
  if (earlier) return earlier.chunks;
  const manifest = await readManifest(directory);
  // With the config's size other requests would be in a chunk, and be asked and paid for again.
  const kept = sizeFile === undefined ? undefined : await readJson(sizeFile, sizeSchema).catch(() => undefined);
  return indexChunks(requestsFile, manifest?.metrics.chunkSize ?? kept?.size ?? size);
}

const sizeSchema = z.object({ size: z.int().positive() });
