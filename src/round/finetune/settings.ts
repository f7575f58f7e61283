import { warmupOf } from '../../config/finetune-schema.ts';
import type { Config } from '../../config/schema.ts';
import { InputError } from '../../core/input-error.ts';
import type { FinetuneJob } from '../../trainer/protocol.ts';

/**
 * The learning rate of a finetune of so many steps, as the trainer is given it.
 *
 * @throws InputError for a warm-up that is longer than that
 */
export function learningRateOf({ learningRate }: Config['finetune'], steps: number): FinetuneJob['learningRate'] {
  const warmupSteps = warmupOf(learningRate, steps);
  if (warmupSteps !== undefined) return { ...learningRate, warmupSteps };
  throw new InputError({
    file: 'configuration',
    field: 'finetune.learningRate.warmupSteps',
    problem: `${learningRate.warmupSteps} steps, but the whole finetune has ${steps}`,
    remedy: 'Set a share of all steps, such as 0.05, or fewer steps',
  });
}
