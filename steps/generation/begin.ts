import { type ChunkIndex, countChunks, indexChunks } from '../../generation/chunks.ts';
import { readLedger } from '../../generation/ledger.ts';
import { readPrice } from '../../generation/prices.ts';
import { readPromptTemplate } from '../../generation/prompt-template.ts';
import { hashFile } from '../../store/hash.ts';
import { InputError } from '../../store/input-error.ts';
import { beginStep, readManifest, type StepToRun } from '../../store/manifest.ts';
import { writeJson } from '../../store/write-file.ts';
import { finishedStep } from '../finished-step.ts';
import { promptFile } from '../prompt-file.ts';
import { requireDataRound } from '../require-data-round.ts';
import { requestsFile } from '../sample.ts';
import type { StepContext } from '../step-context.ts';
import { teacherIdentity } from '../teacher.ts';
import { withTeacherAsker } from './asker.ts';
import { chunksAtOnce } from './chunk.ts';
import { estimateGeneration, type GenerationEstimate } from './estimate.ts';
import { type GenerationFolder, generationFolder, ledgerSource, readPlan } from './folder.ts';

/** How a round's generation is to be done. Small numbers only: it travels through Temporal. */
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
 * Makes the folder of the round's generation ready, and says what is to be done and what it will cost. What an earlier
 * attempt at the same left there stays.
 *
 * @throws InputError when there are no requests yet, or a budget is set for a model without a price
 */
export async function beginGeneration(context: StepContext): Promise<GenerationPlan> {
  const { config, run, round } = context;
  const { teacher } = config;
  requireDataRound(round, 'generate');
  const folder = await generationFolder(context);
  const price = await readPrice(teacher.prices, teacher.model, teacher.mode);
  if (teacher.budget && !price) {
    throw new InputError({
      file: teacher.prices,
      field: `models.${teacher.model}`,
      problem: 'is missing, and a budget needs the price of the model',
      remedy: 'Add what the model costs per million tokens, or leave teacher.budget out',
    });
  }
  const begun = await beginStep(await generationStep(context, folder));
  const ledger = await readLedger(run.root);
  const chunks = await chunkIndex(folder, teacher.mode === 'batch' ? teacher.batch.requests : teacher.chunkRequests);
  const costBefore: Record<string, number> = {};
  for (let chunk = 0; chunk < countChunks(chunks); chunk += 1) {
    const cost = ledger.bySource.get(ledgerSource(round, chunk))?.cost;
    if (cost) costBefore[chunk] = cost;
  }
  const done = 'manifest' in begun;
  if (!done) await writeJson(folder.planFile, { chunks, costBefore });
  const estimate = await withTeacherAsker(context, (asker) =>
    estimateGeneration({ file: folder.requestsFile, chunks, asker, teacher, price, ledger }),
  );
  return {
    done,
    mode: teacher.mode,
    chunks: countChunks(chunks),
    chunkSize: chunks.size,
    requests: chunks.requests,
    atOnce: teacher.mode === 'batch' ? teacher.batch.atOnce : chunksAtOnce(config),
    estimate,
    currency: price?.currency,
    spent: ledger.cost,
    limit: teacher.budget && teacher.budget.limit + ledger.toppedUp,
    whenReached: teacher.budget?.whenReached ?? 'wait',
    poll: { seconds: teacher.batch.pollSeconds, maximumSeconds: teacher.batch.maximumPollSeconds },
  };
}

/** Estimates without beginning anything. */
export async function estimateRound(
  context: StepContext,
): Promise<GenerationEstimate & { currency?: string; spent: number }> {
  const { teacher } = context.config;
  const folder = await generationFolder(context);
  const price = await readPrice(teacher.prices, teacher.model, teacher.mode);
  const ledger = await readLedger(context.run.root);
  const chunks = await indexChunks(folder.requestsFile, teacher.chunkRequests);
  const estimate = await withTeacherAsker(context, (asker) =>
    estimateGeneration({ file: folder.requestsFile, chunks, asker, teacher, price, ledger }),
  );
  return { ...estimate, ...(price ? { currency: price.currency } : {}), spent: ledger.cost };
}

/** The step, and all that its answers depend on. */
export async function generationStep(
  { config, run, round }: StepContext,
  { directory }: GenerationFolder,
): Promise<StepToRun> {
  const sampled = await finishedStep(run, round, 'sample');
  const template = await readPromptTemplate(await promptFile(config, run, round));
  return {
    directory,
    step: 'generate',
    inputs: {
      requests: sampled.manifest.outputs[requestsFile],
      prompt: template.hash,
      questionTypes: await hashFile(config.data.questionTypes),
      teacher: teacherIdentity(config.teacher),
    },
    inSeveralCalls: true,
  };
}

// The calls already made are filed by chunk, so an index that is there stays, whatever the config says now.
async function chunkIndex({ planFile, requestsFile, directory }: GenerationFolder, size: number): Promise<ChunkIndex> {
  const earlier = await readPlan(planFile).catch(() => undefined);
  if (earlier) return earlier.chunks;
  const manifest = await readManifest(directory);
  return indexChunks(requestsFile, manifest?.metrics.chunkSize ?? size);
}
