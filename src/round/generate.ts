import { beginGeneration } from './generation/begin.ts';
import { finishGeneration } from './generation/finish.ts';
import { askInThisProcess } from './generation/in-this-process.ts';
import { generationWork } from './generation/work.ts';
import type { GenerateOutcome } from './outcomes.ts';
import type { StepContext } from './step-context.ts';

export { rawAnswersFile } from './generation/folder.ts';

/**
 * Asks the teacher for each of the round's requests, in this process. An interrupted attempt goes on where it stopped.
 *
 * @throws InputError when the budget is used up and a top-up is to be waited for
 */
export async function generate(context: StepContext): Promise<GenerateOutcome> {
  const plan = await beginGeneration(context);
  if (!plan.done) await askInThisProcess(context, await generationWork(context), plan);
  return finishGeneration(context);
}
