import { join } from 'node:path';
import { type RunDirectory, roundDirectory } from '../core/run-directory.ts';
import { type RoundStep, rowOf, type StepName } from './steps.ts';

/** The folder that belongs to one step of one round, and to nothing else: `<run>/round-<k>/<folder>`. */
export function stepDirectory(run: RunDirectory, round: number, step: RoundStep): string {
  return directoryOf(run, round, step) as string;
}

/** The folder of any step, in its round or in its run; undefined for a step that has none. */
export function directoryOf(run: RunDirectory, round: number, step: StepName): string | undefined {
  const { folder } = rowOf(step);
  if (folder === undefined) return undefined;
  return join(folder.of === 'run' ? run.root : roundDirectory(run, round), folder.name);
}
