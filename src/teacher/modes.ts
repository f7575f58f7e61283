/**
 * The ways to ask many requests: each by itself, or in batches. What one activity does is one chunk of either.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { askChunk } from './ask-chunk.ts';
import { askWithRetries, type OnRetry } from './ask-with-retries.ts';
import { collectBatch, readBatchState, submitBatch } from './batches.ts';
import type { TeacherRequest } from './call-log.ts';
import { createPacer } from './pacer.ts';
import { costOf, readPrice, type TokenPrice, type TokenSum } from './prices.ts';
import type { TeacherModeName, TeacherSettings } from './provider.ts';
import { roundingError } from './spending.ts';
import { type AskedChunk, askedChunk, type TeacherChunk } from './teacher-chunk.ts';

/** Reports how many requests of a chunk are answered; `etaSeconds` once it is known; `phase` after a failure: what went wrong. */
export type OnChunkProgress = (progress: {
  step: number;
  steps: number;
  etaSeconds?: number | undefined;
  phase?: string;
}) => void;

export interface AskingOptions {
  /** What the chunk may cost since asking was started; default: anything. */
  allowance?: number | undefined;
  onProgress: OnChunkProgress;
  /** Called when an attempt failed and another one follows. */
  onRetry?: OnRetry | undefined;
  signal: AbortSignal;
  /** With retries: how often a chunk is tried. Default: a day or so. */
  attempts?: number;
}

export interface TeacherMode {
  /** How many requests a chunk has. */
  chunkSize(settings: TeacherSettings): number;
  /** How many chunks may run at the same time, on all workers together. */
  maxConcurrentChunks(settings: TeacherSettings): number;
  price(settings: TeacherSettings): Promise<TokenPrice | undefined>;
  /** The least that the requests take by the limits, in seconds. */
  leastSeconds(settings: TeacherSettings, work: { requests: number; tokens: number }): number;
  /**
   * Asks a chunk, with retries, until every request is answered or given up.
   *
   * @param open opens the chunk as it is now; called for each attempt
   */
  run<Request extends TeacherRequest>(
    open: () => Promise<TeacherChunk<Request>>,
    options: AskingOptions,
  ): Promise<AskedChunk>;
}

const usualAttempts = 1000;
/** Less than all of a limit is used: requests arrive a little later than they are sent, some more and some less. */
const shareOfLimit = 0.95;

const online: TeacherMode = {
  chunkSize: ({ chunkRequests }) => chunkRequests,
  // Each chunk has at least one open request.
  maxConcurrentChunks: ({ maxConcurrentChunks, concurrency }) => Math.min(maxConcurrentChunks, concurrency),
  price: ({ prices, model }) => readPrice(prices, model, 'online'),
  leastSeconds({ limits }, { requests, tokens }) {
    const { requestsPerMinute = Number.POSITIVE_INFINITY, tokensPerMinute = Number.POSITIVE_INFINITY } = limits;
    return 60 * Math.max(requests / requestsPerMinute, tokens / tokensPerMinute);
  },
  run: (open, options) =>
    askWithRetries(async () => askChunkOnline(await open(), options), {
      attempts: options.attempts ?? usualAttempts,
      signal: options.signal,
      onRetry: options.onRetry,
    }),
};

const batch: TeacherMode = {
  chunkSize: ({ batch }) => batch.requests,
  maxConcurrentChunks: ({ batch }) => batch.maxConcurrent,
  price: ({ prices, model }) => readPrice(prices, model, 'batch'),
  // The limits do not apply to batches.
  leastSeconds: () => 0,
  async run(open, { allowance, signal, onRetry, attempts = usualAttempts }) {
    const retried = <R>(ask: () => Promise<R>) => askWithRetries(ask, { attempts, signal, onRetry });
    for (;;) {
      const submitted = await retried(async () => submitBatch(await open(), { allowance, signal }));
      if (submitted.batch === undefined) return submitted.chunk;
      const { batch } = submitted;
      const { settings, connect } = await open();
      const hasEnded = () => connect(async (client) => (await readBatchState(client, batch)).ended);
      const { pollSeconds, maximumPollSeconds } = settings.batch;
      for (
        let seconds = pollSeconds;
        !(await retried(hasEnded));
        seconds = Math.min(maximumPollSeconds, seconds * 1.5)
      ) {
        await wait(seconds * 1000, undefined, { signal });
      }
      await retried(async () => collectBatch(await open(), batch));
    }
  },
};

export const teacherModes: Readonly<Record<TeacherModeName, TeacherMode>> = { online, batch };

/**
 * Asks the requests of a chunk that have no answer yet, each by itself. `maxConcurrentChunks` chunks may run at the same
 * time, on any worker; each keeps to its share of the limits and of the concurrency.
 *
 * @throws TeacherError while requests are unanswered
 */
export async function askChunkOnline<Request extends TeacherRequest>(
  chunk: TeacherChunk<Request>,
  { allowance, onProgress, signal }: AskingOptions,
): Promise<AskedChunk> {
  const { requests, settings, price, costBefore } = chunk;
  const { concurrency, limits } = settings;
  const chunks = online.maxConcurrentChunks(settings);
  const share = (limit: number | undefined) => (limit === undefined ? undefined : (limit * shareOfLimit) / chunks);
  const fits = (tokens: TokenSum) => costOf(price, tokens) - costBefore <= (allowance ?? 0) + roundingError;
  const { calls, givenUp, outOfBudget } = await chunk.withAsker(requests, (asker) =>
    askChunk({
      requests,
      folder: chunk.calls,
      chunk: chunk.number,
      asker,
      signal,
      concurrency: Math.max(1, Math.floor(concurrency / chunks)),
      pacer: createPacer({
        requestsPerMinute: share(limits.requestsPerMinute),
        tokensPerMinute: share(limits.tokensPerMinute),
      }),
      mayCost: allowance === undefined ? undefined : fits,
      account: chunk.account,
      onProgress: withEta(requests.length, onProgress),
    }),
  );
  return askedChunk(chunk, calls, { givenUp, outOfBudget });
}

/** Estimates the time that is left by the answers since the first report. */
function withEta(steps: number, onProgress: OnChunkProgress): (answered: number, problem?: string) => void {
  const startedAt = Date.now();
  let answeredAtStart: number | undefined;
  return (answered, problem) => {
    answeredAtStart ??= answered;
    const secondsEach = (Date.now() - startedAt) / 1000 / (answered - answeredAtStart);
    const etaSeconds = answered > answeredAtStart ? secondsEach * (steps - answered) : undefined;
    onProgress({ step: answered, steps, etaSeconds, ...(problem !== undefined && { phase: `after: ${problem}` }) });
  };
}
