import type { TeacherRequest } from '../../teacher/call-log.ts';
import { OutOfBudget } from '../../teacher/spending.ts';
import type { Progress } from '../../trainer/protocol.ts';
import type { StepContext } from '../step-context.ts';
import { teacherOf } from '../teacher.ts';
import type { GenerationPlan } from './plan.ts';
import { openChunk, type TeacherWork } from './work.ts';

/**
 * Asks all requests in this process, one chunk or batch after another. The workflow `generation` does the same with many
 * workers.
 *
 * @throws OutOfBudget when the budget is used up, unless `teacher.budget.whenReached` says to finish then
 */
export async function askInThisProcess<Request extends TeacherRequest>(
  context: StepContext,
  work: TeacherWork<Request>,
  plan: GenerationPlan,
): Promise<void> {
  const { signal } = context;
  // Only one chunk runs at a time, so it gets all of the limits and the concurrency.
  const config = { ...context.config, teacher: { ...context.config.teacher, maxConcurrentChunks: 1 } };
  const alone: StepContext = { ...context, config };
  const { mode } = teacherOf(alone);
  let { spent } = plan;
  for (let chunk = 0; chunk < plan.chunks; chunk += 1) {
    const asked = await mode.run(() => openChunk(alone, work, chunk), {
      allowance: plan.limit === undefined ? undefined : plan.limit - spent,
      onProgress: (progress) => context.onProgress(ofWhole(plan, chunk, progress)),
      signal,
    });
    spent += asked.cost;
    if (asked.outOfBudget) {
      if (plan.whenReached === 'finish') break;
      const { limit = 0, currency = '' } = plan;
      throw new OutOfBudget({ limit, spent, currency });
    }
  }
}

function ofWhole({ requests, chunkSize }: GenerationPlan, chunk: number, progress: Progress): Progress {
  const before = chunk * chunkSize;
  const left = requests - before - progress.step;
  const etaSeconds = progress.etaSeconds && (progress.etaSeconds / (progress.steps - progress.step)) * left;
  return { step: before + progress.step, steps: requests, etaSeconds };
}
