/** What of a config's finetune the trainer is given. */

import { warmupOf } from '../../config/finetune-schema.ts';
import type { Config } from '../../config/schema.ts';
import { InputError } from '../../core/input-error.ts';
import type { FinetuneJob } from '../../trainer/protocol.ts';

/**
 * The learning rate of a finetune of so many steps, with the defaults of its schedule.
 *
 * @throws InputError for a warm-up that is longer than that
 */
export function learningRateOf(finetune: Config['finetune'], steps: number): FinetuneJob['learningRate'] {
  const { schedule, initial, peak, final, byPart } = finetune.learningRate;
  const warmupSteps = warmupOf(finetune, steps);
  if (warmupSteps === undefined) {
    throw new InputError({
      file: 'configuration',
      field: 'finetune.learningRate.warmupSteps',
      problem: `${finetune.learningRate.warmupSteps} steps, but the whole finetune has ${steps}`,
      remedy: 'Set a share of all steps, such as 0.05, or fewer steps',
    });
  }
  const isReference = schedule === 'reference';
  return {
    // Left out where it is the reference's: jobs and hashes from before there were others are then the same.
    schedule: isReference ? undefined : schedule,
    initial: initial ?? (isReference ? 1e-6 : 0),
    peak,
    final: final ?? (isReference ? 1e-5 : 0),
    warmupSteps,
    byPart,
  };
}
