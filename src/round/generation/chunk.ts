import type { RunDirectory } from '../../core/run-directory.ts';
import { askChunk, type ChunkOutcome } from '../../teacher/ask-chunk.ts';
import { type CallSummary, callFilesOf } from '../../teacher/call-log.ts';
import { readChunk } from '../../teacher/chunks.ts';
import { appendToLedger } from '../../teacher/ledger.ts';
import { createPacer } from '../../teacher/pacer.ts';
import { costOf, readPrice, type TokenPrice, type TokenSum } from '../../teacher/prices.ts';
import type { TeacherRequest } from '../../teacher/raw-answers.ts';
import type { StepContext } from '../step-context.ts';
import { readPlan } from './folder.ts';
import { shareCalls } from './share-calls.ts';
import type { TeacherWork } from './work.ts';

/** What asking a chunk came to. Small numbers only: it travels through Temporal. */
export interface AskedChunk {
  requests: number;
  answered: number;
  givenUp: number;
  outOfBudget: boolean;
  promptTokens: number;
  completionTokens: number;
  /** Since the generation was begun or taken up again, in the currency of the prices. */
  cost: number;
}

/** Never asks for all of a limit: requests arrive a little later than they are sent, some more and some less. */
const shareOfLimit = 0.95;

/**
 * Asks one chunk of requests. `teacher.chunksAtOnce` chunks may be asked at once, anywhere; each keeps to its share of the
 * limits and of the concurrency.
 *
 * @param input.allowance what the chunk may cost since the work was begun; default: anything
 * @throws TeacherError while requests are unanswered
 */
export async function askWorkChunk<Request extends TeacherRequest>(
  { config, run, signal, onProgress }: StepContext,
  work: TeacherWork<Request>,
  { chunk, allowance }: { chunk: number; allowance?: number | undefined },
): Promise<AskedChunk> {
  const { teacher } = config;
  await shareCalls(run, work, callFilesOf(chunk));
  const plan = await readPlan(work.planFile);
  const requests = await readChunk(work.requestsFile, plan.chunks, chunk, work.schema);
  const price = await readPrice(teacher.prices, teacher.model, 'online');
  const costBefore = plan.costBefore[chunk] ?? 0;
  const slots = chunksAtOnce(config);
  const share = (limit: number | undefined) => (limit === undefined ? undefined : (limit * shareOfLimit) / slots);
  const startedAt = Date.now();
  let answeredAtStart: number | undefined;
  const outcome = await work.withAsker(requests, (asker) =>
    askChunk({
      requests,
      folder: work.calls,
      chunk,
      asker,
      signal,
      concurrency: Math.max(1, Math.floor(teacher.concurrency / slots)),
      pacer: createPacer({
        requestsPerMinute: share(teacher.limits.requestsPerMinute),
        tokensPerMinute: share(teacher.limits.tokensPerMinute),
      }),
      mayCost: allowance === undefined ? undefined : (tokens) => costOf(price, tokens) - costBefore <= allowance + 1e-9,
      account: (calls) => enterChunk(run, work, { chunk, calls, price, model: teacher.model }),
      onProgress: (answered) => {
        answeredAtStart ??= answered;
        const secondsEach = (Date.now() - startedAt) / 1000 / (answered - answeredAtStart);
        const etaSeconds = answered > answeredAtStart ? secondsEach * (requests.length - answered) : undefined;
        onProgress({ step: answered, steps: requests.length, etaSeconds });
      },
    }),
  );
  return askedChunk(outcome, price, costBefore);
}

/** How many chunks may be asked at once: no more than requests. */
export function chunksAtOnce({ teacher }: Pick<StepContext, 'config'>['config']): number {
  return Math.min(teacher.chunksAtOnce, teacher.concurrency);
}

export function askedChunk(
  { calls, ...outcome }: ChunkOutcome,
  price: TokenPrice | undefined,
  costBefore: number,
): AskedChunk {
  return { ...outcome, ...calls.charged, cost: costOf(price, tokensOf(calls)) - costBefore };
}

/** What is known to be charged, and the most that lost calls can have added. */
export function tokensOf({ charged, unsettled }: CallSummary): TokenSum {
  return {
    promptTokens: unsettled.reduce((sum, { most }) => sum + most.promptTokens, charged.promptTokens),
    completionTokens: unsettled.reduce((sum, { most }) => sum + most.completionTokens, charged.completionTokens),
  };
}

/** Enters all that a chunk has cost so far in the run's ledger. */
export async function enterChunk(
  run: RunDirectory,
  { ledgerSource }: { ledgerSource: (chunk: number) => string },
  input: { chunk: number; calls: CallSummary; price: TokenPrice | undefined; model: string },
): Promise<void> {
  const { chunk, calls, price, model } = input;
  const tokens = tokensOf(calls);
  await appendToLedger(run.root, {
    kind: 'spend',
    at: new Date().toISOString(),
    source: ledgerSource(chunk),
    model,
    calls: calls.calls,
    failedCalls: calls.failedCalls,
    lostCalls: calls.unsettled.length,
    ...tokens,
    cost: costOf(price, tokens),
  });
}
