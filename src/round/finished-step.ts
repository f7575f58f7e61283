import { InputError } from '../core/input-error.ts';
import { type Manifest, readManifest } from '../core/manifest.ts';
import type { RunDirectory } from '../core/run-directory.ts';
import { stepDirectory } from './step-directory.ts';
import type { RoundStep } from './steps.ts';

/** What of a step's folder must be on this disk, when the run lies in a store. */
interface Needed {
  /** Model files too. */
  weights?: boolean;
}

/**
 * The manifest of a step that must have been done before.
 *
 * @throws InputError that says which command to run first
 */
export async function finishedStep(
  run: RunDirectory,
  round: number,
  step: RoundStep,
  needed?: Needed,
): Promise<{ directory: string; manifest: Manifest }> {
  const directory = stepDirectory(run, round, step);
  const manifest = await manifestIn(run, directory, needed);
  if (manifest === undefined) {
    throw new InputError({
      file: directory,
      problem: `round ${round} has not finished its step ${step}`,
      remedy: `Run \`dataengine ${step} --round ${round}\` with the same config first`,
    });
  }
  return { directory, manifest };
}

/** The manifest in a folder of the run, and with it what the folder holds; undefined when the step has not finished. */
export async function manifestIn(run: RunDirectory, directory: string, needed?: Needed): Promise<Manifest | undefined> {
  await run.stored?.download(directory, needed);
  return readManifest(directory);
}
