import type { Config } from './schema.ts';

/** What a language model computes its products in, and what its matrices are kept as. */
export type NumberFormats = Pick<Config['finetune'], 'precision' | 'weightStorage'>;

/** Of a run's evaluations: those of its finetune, unless the config says otherwise. */
export function evaluationNumberFormats({ evaluate, finetune }: Pick<Config, 'evaluate' | 'finetune'>): NumberFormats {
  return {
    precision: evaluate.precision ?? finetune.precision,
    weightStorage: evaluate.weightStorage ?? finetune.weightStorage,
  };
}
