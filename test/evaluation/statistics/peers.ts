import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const numbers = z.array(z.array(z.number()));
const schema = z.object({
  normal_quantile: numbers,
  t_quantile: numbers,
  noncentral_t: numbers,
  mcnemar_power: numbers,
  lmms_eval_questions: numbers,
  seeds: numbers,
  seed_power: numbers,
  holm: z.array(z.object({ given: z.array(z.number()), adjusted: z.array(z.number()) })),
  sign_flip: z.array(z.tuple([z.array(z.number()), z.number()])),
  clustered: z.array(
    z.object({
      images: z.array(z.number()),
      scores: z.array(z.number()),
      statsmodels: z.number(),
      lmms_eval: z.number(),
      independent: z.number(),
    }),
  ),
});

/** What SciPy, statsmodels and lmms-eval 0.7.3 say (test/fixtures/make-statistics-fixture.py). */
export const peers = schema.parse(
  JSON.parse(await readFile(join(import.meta.dirname, '../../fixtures/statistics/peers.json'), 'utf8')),
);

export type Row = [number, number, number, number, number];
