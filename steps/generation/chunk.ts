import { askChunk, type ChunkOutcome } from '../../generation/ask-chunk.ts';
import { type CallSummary, readCallLog } from '../../generation/call-log.ts';
import { readChunk } from '../../generation/chunks.ts';
import { appendToLedger } from '../../generation/ledger.ts';
import { createPacer } from '../../generation/pacer.ts';
import { costOf, readPrice, type TokenPrice, type TokenSum } from '../../generation/prices.ts';
import type { StepContext } from '../step-context.ts';
import { withTeacherAsker } from './asker.ts';
import { generationFolder, ledgerSource, readPlan } from './folder.ts';

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
 * Asks one chunk of the round's requests. `teacher.chunksAtOnce` chunks may be asked at once, anywhere; each keeps to its
 * share of the limits and of the concurrency.
 *
 * @param input.allowance what the chunk may cost since the generation was begun; default: anything
 * @throws TeacherError while requests are unanswered
 */
export async function askGenerationChunk(
  context: StepContext,
  { chunk, allowance }: { chunk: number; allowance?: number | undefined },
): Promise<AskedChunk> {
  const { config, signal, onProgress } = context;
  const { teacher } = config;
  const folder = await generationFolder(context);
  const plan = await readPlan(folder.planFile);
  const requests = await readChunk(folder.requestsFile, plan.chunks, chunk);
  const price = await readPrice(teacher.prices, teacher.model, 'online');
  const costBefore = plan.costBefore[chunk] ?? 0;
  const slots = chunksAtOnce(config);
  const share = (limit: number | undefined) => (limit === undefined ? undefined : (limit * shareOfLimit) / slots);
  const startedAt = Date.now();
  let answeredAtStart: number | undefined;
  try {
    const outcome = await withTeacherAsker(context, (asker) =>
      askChunk({
        requests,
        folder: folder.calls,
        chunk,
        asker,
        signal,
        concurrency: Math.max(1, Math.floor(teacher.concurrency / slots)),
        pacer: createPacer({
          requestsPerMinute: share(teacher.limits.requestsPerMinute),
          tokensPerMinute: share(teacher.limits.tokensPerMinute),
        }),
        mayCost:
          allowance === undefined ? undefined : (tokens) => costOf(price, tokens) - costBefore <= allowance + 1e-9,
        onProgress: (answered) => {
          answeredAtStart ??= answered;
          const secondsEach = (Date.now() - startedAt) / 1000 / (answered - answeredAtStart);
          const etaSeconds = answered > answeredAtStart ? secondsEach * (requests.length - answered) : undefined;
          onProgress({ phase: `chunk ${chunk}`, step: answered, steps: requests.length, etaSeconds });
        },
      }),
    );
    return askedChunk(outcome, price, costBefore);
  } finally {
    await enterChunk(context, chunk, await readCallLog(folder.calls, chunk), price);
  }
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
  { run, round, config }: Pick<StepContext, 'run' | 'round' | 'config'>,
  chunk: number,
  calls: CallSummary,
  price: TokenPrice | undefined,
): Promise<void> {
  const tokens = tokensOf(calls);
  await appendToLedger(run.root, {
    kind: 'spend',
    at: new Date().toISOString(),
    source: ledgerSource(round, chunk),
    model: config.teacher.model,
    calls: calls.calls,
    failedCalls: calls.failedCalls,
    lostCalls: calls.unsettled.length,
    ...tokens,
    cost: costOf(price, tokens),
  });
}
