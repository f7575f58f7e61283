import { setTimeout as wait } from 'node:timers/promises';
import { askPatiently } from '../generation/ask-patiently.ts';
import { InputError } from '../store/input-error.ts';
import { collectBatch, lookAfterBatch, submitBatch } from './generation/batch.ts';
import { beginGeneration, type GenerationPlan } from './generation/begin.ts';
import { type AskedChunk, askGenerationChunk } from './generation/chunk.ts';
import { finishGeneration } from './generation/finish.ts';
import type { GenerateOutcome } from './outcomes.ts';
import type { StepContext } from './step-context.ts';

export { rawAnswersFile } from './generation/folder.ts';

const attemptsAtChunk = 1000;

/**
 * Asks the teacher for each of the round's requests, in this process: one chunk, or batch, after another. The workflow
 * `generation` does the same with many workers. An interrupted attempt goes on where it stopped.
 *
 * @throws InputError when the budget is used up and a top-up is to be waited for
 */
export async function generate(context: StepContext): Promise<GenerateOutcome> {
  const plan = await beginGeneration(context);
  if (plan.done) return finishGeneration(context);
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
        ? await askInBatches(inChunk, plan, chunk, allowance)
        : await askPatiently(() => askGenerationChunk(inChunk, { chunk, allowance }), {
            attempts: attemptsAtChunk,
            signal: context.signal,
          });
    spent += asked.cost;
    if (asked.outOfBudget) {
      if (plan.whenReached === 'finish') break;
      throw outOfBudget(plan, spent);
    }
  }
  return finishGeneration(context);
}

async function askInBatches(
  context: StepContext,
  { poll }: GenerationPlan,
  chunk: number,
  allowance: number | undefined,
): Promise<AskedChunk> {
  for (;;) {
    const patiently = <R>(work: () => Promise<R>) =>
      askPatiently(work, { attempts: attemptsAtChunk, signal: context.signal });
    const submitted = await patiently(() => submitBatch(context, { chunk, allowance }));
    if (submitted.batch === undefined) return submitted.chunk;
    const { batch } = submitted;
    for (let seconds = poll.seconds; ; seconds = Math.min(poll.maximumSeconds, seconds * 1.5)) {
      const { ended } = await patiently(() => lookAfterBatch(context, { batch }));
      if (ended) break;
      await wait(seconds * 1000, undefined, { signal: context.signal });
    }
    await patiently(() => collectBatch(context, { chunk, batch }));
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

function outOfBudget({ limit, currency }: GenerationPlan, spent: number): InputError {
  return new InputError({
    file: 'config',
    field: 'teacher.budget.limit',
    problem: `the budget of ${limit} ${currency} is used up: ${spent.toFixed(2)} are spent, and the next request could pass it`,
    remedy: `Raise it and run this again, which asks only for what is missing; or set teacher.budget.whenReached to finish`,
  });
}
