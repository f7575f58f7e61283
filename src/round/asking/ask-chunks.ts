import type { TeacherRequest } from '../../teacher/call-log.ts';
import { OutOfBudget } from '../../teacher/spending.ts';
import type { AskedChunk } from '../../teacher/teacher-chunk.ts';
import type { Progress } from '../../trainer/protocol.ts';
import { withServedTeacher } from '../served-teacher.ts';
import type { StepContext } from '../step-context.ts';
import { teacherOf } from '../teacher.ts';
import { confirmPayment } from '../teacher-price.ts';
import type { GenerationPlan } from './plan.ts';
import { openChunk, type TeacherWork } from './work.ts';

/**
 * Asks all requests in this process, one chunk or batch after another. The workflow `generation` does the same with many
 * workers.
 *
 * @param workOf the requests, as work for the teacher of a context
 * @throws OutOfBudget when the budget is used up, unless `teacher.budget.whenReached` says to finish then
 */
export async function askInThisProcess<Request extends TeacherRequest>(
  context: StepContext,
  workOf: (context: StepContext) => Promise<TeacherWork<Request>>,
  plan: GenerationPlan,
): Promise<void> {
  const { requests, estimate, limit, spent, currency = '' } = plan;
  await confirmPayment(context, { requests, likely: estimate.cost, most: estimate.maximumCost });
  const asked = await withServedTeacher(context, async (served) =>
    askChunks(served, await workOf(served), {
      ...{ from: 0, chunks: plan.chunks, chunkSize: plan.chunkSize, requests },
      allowance: limit === undefined ? undefined : limit - spent,
      attempts: attemptsOf(context),
    }),
  );
  if (asked.left === undefined || plan.whenReached === 'finish') return;
  throw new OutOfBudget({ limit: limit ?? 0, spent: spent + asked.cost + asked.left.cost, currency });
}

/** A server that was started here is started anew rather than waited for. */
export function attemptsOf({ config }: Pick<StepContext, 'config'>): number | undefined {
  return config.teacher.serve === undefined ? undefined : 8;
}

/** How asking chunks one after another ended. Small numbers only: it travels through Temporal. */
export interface AskedChunks extends Pick<AskedChunk, 'answered' | 'givenUp' | 'cost'> {
  /** The chunk that the budget was too small for, and what it has cost; those after it were not asked. */
  left?: { chunk: number; cost: number } | undefined;
}

/** Asks the chunks from one on, each with all of the limits and the concurrency. What is answered costs nothing again. */
export async function askChunks<Request extends TeacherRequest>(
  context: StepContext,
  work: TeacherWork<Request>,
  {
    from,
    allowance,
    attempts,
    ...all
  }: Pick<GenerationPlan, 'chunks' | 'chunkSize' | 'requests'> & {
    from: number;
    /** What all of them may cost; undefined: anything. */
    allowance: number | undefined;
    /** Tries of each; undefined: as for a teacher that may be down for hours. */
    attempts: number | undefined;
  },
): Promise<AskedChunks> {
  const config = { ...context.config, teacher: { ...context.config.teacher, maxConcurrentChunks: 1 } };
  const alone: StepContext = { ...context, config };
  const { mode } = teacherOf(alone);
  const sum = { answered: 0, givenUp: 0, cost: 0 };
  for (let chunk = from; chunk < all.chunks; chunk += 1) {
    const asked = await mode.run(() => openChunk(alone, work, chunk), {
      allowance: allowance === undefined ? undefined : allowance - sum.cost,
      onProgress: (progress) => context.onProgress(ofWhole(all, chunk, progress)),
      onRetry: context.onRetry,
      signal: context.signal,
      ...(attempts !== undefined && { attempts }),
    });
    if (asked.outOfBudget) return { ...sum, left: { chunk, cost: asked.cost } };
    sum.answered += asked.answered;
    sum.givenUp += asked.givenUp;
    sum.cost += asked.cost;
  }
  return sum;
}

function ofWhole(
  { requests, chunkSize }: Pick<GenerationPlan, 'requests' | 'chunkSize'>,
  chunk: number,
  progress: Progress,
): Progress {
  const before = chunk * chunkSize;
  const left = requests - before - progress.step;
  const etaSeconds = progress.etaSeconds && (progress.etaSeconds / (progress.steps - progress.step)) * left;
  const { phase } = progress;
  return { step: before + progress.step, steps: requests, etaSeconds, ...(phase !== undefined && { phase }) };
}
