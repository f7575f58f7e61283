import type { Config } from './schema.ts';

/** What a language model computes its products in, and what its matrices are kept as. */
export type NumberFormats = Pick<Config['finetune'], 'computeDtype' | 'weightDtype'>;

/** Of a run's evaluations: those of its finetune, unless the config says otherwise. */
export function evaluationNumberFormats({ evaluate, finetune }: Pick<Config, 'evaluate' | 'finetune'>): NumberFormats {
  return {
    computeDtype: evaluate.computeDtype ?? finetune.computeDtype,
    weightDtype: evaluate.weightDtype ?? finetune.weightDtype,
  };
}
