import type { Variable } from './ops/tape.ts';

/** Looks a weight up by the name transformers gives it. */
export type Weights = (name: string) => Variable;
