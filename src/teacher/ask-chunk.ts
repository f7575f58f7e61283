import { setMaxListeners } from 'node:events';
import type { TeacherRequest } from './call-log.ts';
import { type CallLog, type CallSummary, newCallId, openCallLog, rawAnswerOf, type SentCall } from './call-log.ts';
import type { Pacer } from './pacer.ts';
import type { TokenSum } from './prices.ts';
import type { TeacherAnswer } from './read-completion.ts';
import { TeacherError } from './teacher-error.ts';

/** How the requests of a chunk are sent. */
export interface RequestAsker<Request extends TeacherRequest = TeacherRequest> {
  /** The most tokens that a request can use. */
  most(request: Request): TokenSum;
  /** Sends a request once. @throws TeacherError */
  ask(request: Request, call: string, signal: AbortSignal): Promise<AnswerToRequest>;
  /** Finds the answer to a lost call; absent for teachers that store none. @throws TeacherError */
  find?(call: SentCall, request: Request, signal: AbortSignal): Promise<TeacherAnswer | undefined>;
}

export interface AnswerToRequest extends TeacherAnswer {
  /** In-context examples left out because the prompt was too long. */
  examplesDropped?: number | undefined;
}

/** How a chunk ended. */
export interface ChunkOutcome {
  requests: number;
  answered: number;
  /** Requests that failed too often, and are left without an answer. */
  givenUp: number;
  /** True when one more request could have cost more than was allowed. */
  outOfBudget: boolean;
  calls: CallSummary;
}

/** A request that failed this often is given up when most of its chunk is answered. */
const failuresBeforeGivingUp = 8;
/** So many unusable answers, and no other, end it. */
const unusableBeforeEnding = 3;

/**
 * Sends each request of a chunk that has no answer yet, and writes each answer down as soon as it is received. An
 * interruption loses no received answer. Calls that were open then are looked up at a teacher that stores answers, and
 * sent again to one that does not.
 *
 * A failed request is left for the next attempt while the others continue. A rate limit (429, or a used-up limit in the
 * headers) ends the attempt, since it applies to all.
 *
 * @param input.mayCost whether all calls of the chunk together may use this many tokens; default: always
 * @param input.account receives the sum of all calls of the chunk, however the attempt ends
 * @throws TeacherError, retryable and with the time to wait, while requests are unanswered; not retryable for a
 *   refused key or a bad request; the signal's reason when it is aborted
 */
export async function askChunk<Request extends TeacherRequest>(input: {
  requests: readonly Request[];
  folder: string;
  chunk: number;
  asker: RequestAsker<Request>;
  pacer: Pacer;
  concurrency: number;
  mayCost?: ((tokens: TokenSum) => boolean) | undefined;
  account?: (calls: CallSummary) => Promise<void>;
  /** Called with the number of answers, and after a failure with what went wrong. */
  onProgress?: (answered: number, problem?: string) => void;
  signal: AbortSignal;
}): Promise<ChunkOutcome> {
  const { requests, folder, chunk, asker } = input;
  const signal = AbortSignal.any([input.signal]);
  signal.throwIfAborted();
  // Each open request listens to it.
  setMaxListeners(0, signal);
  const log = await openCallLog(folder, chunk);
  try {
    if (asker.find) await settleLostCalls(await log.summarize(), requests, log, asker.find, signal);
    const before = await log.summarize();
    const open = requests.filter(({ id }) => !before.answers.has(id));
    const attempt = await askOpen({ ...input, signal, log, before, open });
    const calls = await log.summarize();
    const outcome = { requests: requests.length, answered: calls.answers.size, givenUp: 0, outOfBudget: false, calls };
    const left = requests.filter(({ id }) => !calls.answers.has(id));
    if (attempt.fatal !== undefined) throw attempt.fatal;
    signal.throwIfAborted();
    if (left.length === 0) return outcome;
    if (attempt.outOfBudget) return { ...outcome, outOfBudget: true };
    const few = left.length <= requests.length / 2;
    const hopeless = left.every(({ id }) => (calls.failures.get(id) ?? 0) >= failuresBeforeGivingUp);
    if (hopeless && few) return { ...outcome, givenUp: left.length };
    const isPermanent = attempt.problem !== undefined && attempt.onlyUnusable && staysUnusable(calls, { few });
    throw new TeacherError(
      `${left.length} of ${requests.length} requests are still unanswered: ${attempt.problem?.message ?? 'a limit is used up'}`,
      { retryable: !isPermanent, retryAfterSeconds: attempt.waitSeconds, cause: attempt.problem },
    );
  } finally {
    try {
      await input.account?.(await log.summarize());
    } finally {
      await log.close();
    }
  }
}

/**
 * Whether the service itself sends nothing but unusable answers: after a few when most of the chunk has no answer. The last
 * few requests of a chunk are first given the tries after which they are given up.
 */
function staysUnusable({ unusableInRow, callsInRow }: CallSummary, { few }: { few: boolean }): boolean {
  if (few) return callsInRow >= failuresBeforeGivingUp ** 2;
  return unusableInRow >= unusableBeforeEnding || callsInRow >= failuresBeforeGivingUp;
}

interface Attempt {
  fatal?: unknown;
  problem?: TeacherError;
  waitSeconds?: number;
  outOfBudget: boolean;
  /** No call ended otherwise than with an unusable answer. */
  onlyUnusable: boolean;
}

async function askOpen<Request extends TeacherRequest>(input: {
  open: readonly Request[];
  before: CallSummary;
  asker: RequestAsker<Request>;
  pacer: Pacer;
  log: CallLog;
  concurrency: number;
  mayCost?: ((tokens: TokenSum) => boolean) | undefined;
  onProgress?: (answered: number, problem?: string) => void;
  signal: AbortSignal;
}): Promise<Attempt> {
  const { open, before, asker, pacer, log, signal, mayCost, onProgress } = input;
  const attempt: Attempt = { outOfBudget: false, onlyUnusable: true };
  let stopping = false;
  let answered = before.answers.size;
  let failuresInRow = 0;
  // What is known to be charged, and the most that open and lost calls can add to it.
  const committed = { ...before.charged };
  for (const { most } of before.unsettled) add(committed, most);
  onProgress?.(answered);

  const askOne = async (request: Request, most: TokenSum) => {
    const call = newCallId();
    const now = () => new Date().toISOString();
    await log.append({ kind: 'sent', call, request_id: request.id, at: now(), most }, { flush: false });
    try {
      const answer = await asker.ask(request, call, signal);
      await log.append({ kind: 'answer', call, at: now(), answer: rawAnswerOf(request, answer) });
      subtract(committed, most);
      add(committed, answer.usage);
      failuresInRow = 0;
      attempt.onlyUnusable = false;
      answered += 1;
      onProgress?.(answered);
      if (answer.waitSeconds !== undefined) stopFor(answer.waitSeconds);
    } catch (error) {
      if (!(error instanceof TeacherError)) throw error;
      attempt.problem = error;
      onProgress?.(answered, error.message);
      if (!error.outcomeUnknown) {
        const { message: problem, status, unusable, charged } = error;
        const kind = { ...(unusable && { unusable }), ...(charged && { charged }) };
        await log.append(
          { kind: 'failed', call, request_id: request.id, at: now(), problem, status, ...kind },
          { flush: false },
        );
        subtract(committed, most);
        if (charged) add(committed, charged);
      }
      failuresInRow += 1;
      attempt.onlyUnusable &&= error.unusable;
      if (!error.retryable) throw error;
      if (error.status === 429) stopFor(error.retryAfterSeconds);
      // So many failures in a row are no fault of single requests: the service itself has a problem.
      if (failuresInRow >= Math.max(8, 2 * input.concurrency)) stopping = true;
    }
  };
  const stopFor = (seconds: number | undefined) => {
    stopping = true;
    if (seconds !== undefined) attempt.waitSeconds = Math.max(attempt.waitSeconds ?? 0, seconds);
  };

  let next = 0;
  const worker = async () => {
    while (!stopping && !signal.aborted && next < open.length) {
      const request = open[next] as Request;
      next += 1;
      try {
        const most = asker.most(request);
        add(committed, most);
        if (mayCost && !mayCost(committed)) {
          subtract(committed, most);
          attempt.outOfBudget = true;
          return;
        }
        await pacer.turn(most.promptTokens + most.completionTokens, signal);
        if (stopping) return;
        await askOne(request, most);
      } catch (error) {
        stopping = true;
        if (!signal.aborted) attempt.fatal ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(input.concurrency, open.length) }, worker));
  return attempt;
}

/** Looks up calls that a killed process, or a cut connection, left open, at a teacher that stores answers. */
async function settleLostCalls<Request extends TeacherRequest>(
  { unsettled }: CallSummary,
  requests: readonly Request[],
  log: CallLog,
  find: NonNullable<RequestAsker<Request>['find']>,
  signal: AbortSignal,
): Promise<void> {
  const requestOf = new Map(requests.map((request) => [request.id, request]));
  for (const lost of unsettled) {
    const request = requestOf.get(lost.request_id);
    if (!request) continue;
    const { call, request_id } = lost;
    const at = new Date().toISOString();
    const answer = await find(lost, request, signal);
    if (answer) await log.append({ kind: 'answer', call, at, answer: rawAnswerOf(request, answer) });
    else await log.append({ kind: 'failed', call, request_id, at, problem: 'the call was lost' });
  }
}

function add(sum: TokenSum, { promptTokens, completionTokens }: TokenSum): void {
  sum.promptTokens += promptTokens;
  sum.completionTokens += completionTokens;
}

function subtract(sum: TokenSum, { promptTokens, completionTokens }: TokenSum): void {
  sum.promptTokens -= promptTokens;
  sum.completionTokens -= completionTokens;
}
