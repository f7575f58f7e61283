import { setTimeout as wait } from 'node:timers/promises';
import { askWithRetries } from '../../teacher/ask-with-retries.ts';
import type { TeacherRequest } from '../../teacher/raw-answers.ts';
import { OutOfBudget } from '../../teacher/spending.ts';
import type { StepContext } from '../step-context.ts';
import { collectBatch, lookAfterBatch, submitBatch } from './batch.ts';
import { type AskedChunk, askWorkChunk } from './chunk.ts';
import type { GenerationPlan } from './plan.ts';
import type { TeacherWork } from './work.ts';

const attemptsAtChunk = 1000;

/**
 * Asks all requests in this process: one chunk, or batch, after another. The workflow `generation` does the same with
 * many workers.
 *
 * @throws OutOfBudget when the budget is used up and a top-up is to be waited for
 */
export async function askInThisProcess<Request extends TeacherRequest>(
  context: StepContext,
  work: TeacherWork<Request>,
  plan: GenerationPlan,
): Promise<void> {
  // One chunk at a time has all of the limits and the concurrency.
  const config = { ...context.config, teacher: { ...context.config.teacher, chunksAtOnce: 1 } };
  let { spent } = plan;
  for (let chunk = 0; chunk < plan.chunks; chunk += 1) {
    const allowance = plan.limit === undefined ? undefined : plan.limit - spent;
    const inChunk: StepContext = {
      ...context,
      config,
      onProgress: (progress) => context.onProgress(ofWhole(plan, chunk, progress)),
    };
    const asked =
      plan.mode === 'batch'
        ? await askInBatches(inChunk, work, plan, chunk, allowance)
        : await askWithRetries(() => askWorkChunk(inChunk, work, { chunk, allowance }), {
            attempts: attemptsAtChunk,
            signal: context.signal,
          });
    spent += asked.cost;
    if (asked.outOfBudget) {
      if (plan.whenReached === 'finish') break;
      const { limit = 0, currency = '' } = plan;
      throw new OutOfBudget({ limit, spent, currency });
    }
  }
}

async function askInBatches<Request extends TeacherRequest>(
  context: StepContext,
  work: TeacherWork<Request>,
  { poll }: GenerationPlan,
  chunk: number,
  allowance: number | undefined,
): Promise<AskedChunk> {
  for (;;) {
    const patiently = <R>(ask: () => Promise<R>) =>
      askWithRetries(ask, { attempts: attemptsAtChunk, signal: context.signal });
    const submitted = await patiently(() => submitBatch(context, work, { chunk, allowance }));
    if (submitted.batch === undefined) return submitted.chunk;
    const { batch } = submitted;
    for (let seconds = poll.seconds; ; seconds = Math.min(poll.maximumSeconds, seconds * 1.5)) {
      const { ended } = await patiently(() => lookAfterBatch(context, { batch }));
      if (ended) break;
      await wait(seconds * 1000, undefined, { signal: context.signal });
    }
    await patiently(() => collectBatch(context, work, { chunk, batch }));
  }
}

function ofWhole(
  { requests, chunkSize }: GenerationPlan,
  chunk: number,
  progress: Parameters<StepContext['onProgress']>[0],
): Parameters<StepContext['onProgress']>[0] {
  const before = chunk * chunkSize;
  const left = requests - before - progress.step;
  const etaSeconds = progress.etaSeconds && (progress.etaSeconds / (progress.steps - progress.step)) * left;
  return { step: before + progress.step, steps: requests, etaSeconds };
}
