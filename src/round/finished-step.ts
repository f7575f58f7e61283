import { InputError } from '../core/input-error.ts';
import { type Manifest, readManifest } from '../core/manifest.ts';
import { requireUnpruned } from '../core/pruned.ts';
import type { RunDirectory } from '../core/run-directory.ts';
import { directoryOf } from './step-directory.ts';
import { rowOf, type StepName } from './steps.ts';

/** What to download of a step's folder, when the run is in a store. */
export interface Needed {
  /** Also the files of models. */
  weights?: boolean;
}

/**
 * The manifest of a step that must have finished.
 *
 * @throws InputError that names the command to run first, also for weights that were pruned
 */
export async function finishedStep(
  run: RunDirectory,
  round: number,
  step: Exclude<StepName, 'report'>,
  needed?: Needed,
): Promise<{ directory: string; manifest: Manifest }> {
  const directory = directoryOf(run, round, step) as string;
  const manifest = await manifestIn(run, directory, needed);
  if (manifest === undefined) {
    throw new InputError({
      file: directory,
      problem: `${rowOf(step).folder?.of === 'run' ? 'the run' : `round ${round}`} has not finished its step ${step}`,
      remedy: `Run \`dataengine ${step} --round ${round}\` with the same config first`,
    });
  }
  if (needed?.weights) await requireUnpruned(directory);
  return { directory, manifest };
}

/** The manifest in a folder of the run, whose files are downloaded first; undefined when the step has not finished. */
export async function manifestIn(run: RunDirectory, directory: string, needed?: Needed): Promise<Manifest | undefined> {
  await run.stored?.download(directory, needed);
  return readManifest(directory);
}

/** @throws InputError in a round that does not have the step: round 0 trains on no generated data */
export function requireRoundOf(step: StepName, round: number): void {
  const { firstRound } = rowOf(step);
  if (round >= firstRound) return;
  throw new InputError({
    file: 'command line',
    field: '--round',
    problem: `round ${round} has no step ${step}`,
    remedy: `Name round ${firstRound} or a later one`,
  });
}
