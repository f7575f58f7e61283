/**
 * The step `generate`: asks the teacher for each of the round's requests.
 */
import { readdir } from 'node:fs/promises';
import { runStepOnce, type StepToRun, startStep } from '../../core/manifest.ts';
import { hashInputFile } from '../../core/read-json.ts';
import { writeFileAtomically } from '../../core/write-file.ts';
import { generationRequest } from '../../generation/sample-requests.ts';
import { readCallLog } from '../../teacher/call-log.ts';
import { countChunks, indexChunks, readChunk } from '../../teacher/chunks.ts';
import { estimateGeneration, type GenerationEstimate } from '../../teacher/estimate.ts';
import { readLedger } from '../../teacher/ledger.ts';
import { askInThisProcess } from '../asking/ask-chunks.ts';
import { type GenerationPlan, planWork } from '../asking/plan.ts';
import { readPlan, syncCalls } from '../asking/work.ts';
import { ownDescriptions } from '../dataset-paths.ts';
import { questionTypesFile } from '../discover/type-lists.ts';
import { finishedStep, requireRoundOf } from '../finished-step.ts';
import { promptFile, readGenerationPrompt, readShortAnswerPrompt } from '../prompt-file.ts';
import { requestsFile } from '../sample/results.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { countedPrice, paidPrice, refuseUnknownPrice, shownImages, teacherIdentity, teacherOf } from '../teacher.ts';
import type { GenerateOutcome } from './results.ts';
import { rawAnswersFile } from './results.ts';
import { type GenerationFolder, generationFolder, generationWork, keepEarlierCalls } from './work.ts';

/**
 * Asks the teacher all of the round's requests, in this process. An interrupted attempt is resumed.
 *
 * @throws OutOfBudget when the budget is used up, unless `teacher.budget.whenReached` says to finish then
 */
export async function generate(context: StepContext): Promise<GenerateOutcome> {
  const plan = await startGeneration(context);
  if (!plan.done) await askInThisProcess(context, generationWork, plan);
  return finishGeneration(context);
}

/**
 * Prepares the folder of the round's generation, and plans and estimates the requests. The answers of an earlier attempt
 * with the same inputs stay.
 *
 * @throws InputError when there are no requests yet, or a budget is set for a model without a price
 */
export async function startGeneration(context: StepContext): Promise<GenerationPlan> {
  requireRoundOf('generate', context.round);
  await refuseUnknownPrice(context);
  const { directory } = await generationFolder(context);
  await keepEarlierCalls(context);
  const started = await startStep(await generationStep(context, { directory }));
  const work = await generationWork(context);
  await context.run.stored?.sync(work.calls, { startingWith: 'size' });
  return planWork(context, work, { done: 'manifest' in started });
}

/** What a round's generation will take, and what the run has spent. */
export interface RoundEstimate extends GenerationEstimate {
  currency?: string;
  spent: number;
  toppedUp: number;
}

/** Estimates a round's generation without starting it. */
export async function estimateRound(context: StepContext): Promise<RoundEstimate> {
  const teacher = teacherOf(context);
  const work = await generationWork(context);
  const price = await countedPrice(context);
  const ledger = await readLedger(context.run.root);
  const chunks = await indexChunks(work.requestsFile, teacher.settings.chunkRequests);
  const estimate = await estimateGeneration({ work, chunks, teacher, price, ledger });
  return { ...estimate, ...(price ? { currency: price.currency } : {}), spent: ledger.cost, toppedUp: ledger.toppedUp };
}

/** The step, and all that its answers depend on. */
async function generationStep(
  { config, run, round }: StepContext,
  { directory }: Pick<GenerationFolder, 'directory'>,
): Promise<StepToRun> {
  const sampled = await finishedStep(run, round, 'sample');
  const template = await readGenerationPrompt(config, await promptFile(config, run, round));
  return {
    directory,
    step: 'generate',
    inputs: {
      requests: sampled.manifest.outputs[requestsFile],
      prompt: template.hash,
      ...(sampled.manifest.metrics.shortAnswers && { shortPrompt: (await readShortAnswerPrompt(config)).hash }),
      questionTypes: await hashInputFile(await questionTypesFile(config, run, round)),
      teacher: teacherIdentity(config.teacher),
      images: shownImages(config),
      ...(await ownDescriptions(config)),
    },
    inSeveralCalls: true,
    // The budget was used up before the first answer; it may have been increased since.
    redo: ({ metrics }) => metrics.answers === 0 && (metrics.unanswered ?? 0) > 0,
  };
}

interface JoinedAnswers {
  answers: number;
  refusals: number;
  promptTokens: number;
  completionTokens: number;
}

/**
 * Joins the answers of all chunks in one file, in the order of the requests. The logs of calls stay: the file can be made
 * again from them at no cost.
 */
export async function finishGeneration(context: StepContext): Promise<GenerateOutcome> {
  const { run, round } = context;
  const { directory } = await generationFolder(context);
  const done = await runStepOnce({
    ...(await generationStep(context, { directory })),
    work: async () => {
      const folder = await generationFolder(context);
      await syncCalls(run, folder);
      const { chunks } = await readPlan(folder.planFile);
      const joined: JoinedAnswers = { answers: 0, refusals: 0, promptTokens: 0, completionTokens: 0 };
      await writeFileAtomically(folder.resultFile, joinChunks(folder, joined, context.signal));
      const ledger = await readLedger(run.root);
      const own = [...ledger.bySource.values()].filter(({ source }) =>
        source.startsWith(`round-${round}/generate/${folder.list}/`),
      );
      return {
        outputs: [rawAnswersFile],
        metrics: {
          ...joined,
          unanswered: chunks.requests - joined.answers,
          cost: own.reduce((sum, { cost }) => sum + cost, 0),
          chunkSize: chunks.size,
        },
      };
    },
  });
  const { answers = 0, unanswered = 0, promptTokens = 0, completionTokens = 0, cost = 0 } = done.manifest.metrics;
  const currency = (await paidPrice(context))?.currency;
  return {
    ...{ ...outcomeOf(done), answers, unanswered, promptTokens, completionTokens, cost },
    ...(currency !== undefined && { currency }),
  };
}

async function* joinChunks(
  { calls, planFile, requestsFile }: GenerationFolder,
  joined: JoinedAnswers,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const { chunks } = await readPlan(planFile);
  const files = await readdir(calls).catch(() => []);
  const filesOf = new Map<number, string[]>();
  for (const name of files) {
    const chunk = Number(/^chunk-(\d+)\./.exec(name)?.[1] ?? -1);
    filesOf.set(chunk, [...(filesOf.get(chunk) ?? []), name]);
  }
  for (let chunk = 0; chunk < countChunks(chunks); chunk += 1) {
    signal.throwIfAborted();
    const { answers } = await readCallLog(calls, chunk, filesOf.get(chunk) ?? []);
    let lines = '';
    for (const { id } of await readChunk(requestsFile, chunks, chunk, generationRequest)) {
      const answer = answers.get(id);
      if (!answer) continue;
      joined.answers += 1;
      joined.refusals += answer.refusal === undefined ? 0 : 1;
      joined.promptTokens += answer.usage.promptTokens;
      joined.completionTokens += answer.usage.completionTokens;
      lines += `${JSON.stringify(answer)}\n`;
    }
    yield lines;
  }
}
