import type { StepContext } from './step-context.ts';
import { type OutcomeOf, rowOf, type StepName } from './steps.ts';

export type StepFunction<N extends StepName> = (context: StepContext) => Promise<OutcomeOf<N>>;

/** The functions of a step. */
export interface StepFunctions<N extends StepName> {
  /** Does the whole step in this process. */
  run: StepFunction<N>;
  /** What its activity does: of a step in shards, joining them; otherwise the same as `run`. */
  activity: StepFunction<N>;
}

/**
 * Loads the functions of a step by its name: `src/round/<step>/<step>.ts` exports one that is named as its activity, or as
 * the step where it has no activity of that kind, and `joinShards` where it is done in shards.
 */
export async function loadStep<N extends StepName>(name: N): Promise<StepFunctions<N>> {
  const module: Record<string, StepFunction<N>> = await import(`./${name}/${name}.ts`);
  const { activity = name, shards } = rowOf(name);
  const run = module[activity];
  const join = shards === undefined ? run : module.joinShards;
  if (run === undefined || join === undefined) throw new Error(`src/round/${name}/${name}.ts lacks ${activity}`);
  return { run, activity: join };
}
