import { hashFile } from '../../core/hash.ts';
import { beginStep, type StepToRun } from '../../core/manifest.ts';
import { indexChunks } from '../../teacher/chunks.ts';
import { readLedger } from '../../teacher/ledger.ts';
import { readPrice } from '../../teacher/prices.ts';
import { readPromptTemplate } from '../../teacher/prompt-template.ts';
import { finishedStep } from '../finished-step.ts';
import { promptFile } from '../prompt-file.ts';
import { refuseUnknownPrice } from '../refuse-unknown-price.ts';
import { requireDataRound } from '../require-data-round.ts';
import { requestsFile } from '../sample.ts';
import type { StepContext } from '../step-context.ts';
import { teacherIdentity } from '../teacher.ts';
import { estimateGeneration, type GenerationEstimate } from './estimate.ts';
import { type GenerationFolder, generationFolder } from './folder.ts';
import { type GenerationPlan, planWork } from './plan.ts';
import { generationWork } from './work.ts';

/**
 * Makes the folder of the round's generation ready, and says what is to be done and what it will cost. What an earlier
 * attempt at the same left there stays.
 *
 * @throws InputError when there are no requests yet, or a budget is set for a model without a price
 */
export async function beginGeneration(context: StepContext): Promise<GenerationPlan> {
  const { config, round } = context;
  requireDataRound(round, 'generate');
  await refuseUnknownPrice(config);
  const folder = await generationFolder(context);
  const begun = await beginStep(await generationStep(context, folder));
  return planWork(context, await generationWork(context), { done: 'manifest' in begun });
}

/** Estimates without beginning anything. */
export async function estimateRound(
  context: StepContext,
): Promise<GenerationEstimate & { currency?: string; spent: number; toppedUp: number }> {
  const { teacher } = context.config;
  const work = await generationWork(context);
  const price = await readPrice(teacher.prices, teacher.model, teacher.mode);
  const ledger = await readLedger(context.run.root);
  const chunks = await indexChunks(work.requestsFile, teacher.chunkRequests);
  const estimate = await estimateGeneration({ work, chunks, teacher, price, ledger });
  return { ...estimate, ...(price ? { currency: price.currency } : {}), spent: ledger.cost, toppedUp: ledger.toppedUp };
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
    // It ended when the money did, before the first answer. There may be some now.
    doneOver: ({ metrics }) => metrics.answers === 0 && (metrics.unanswered ?? 0) > 0,
  };
}
