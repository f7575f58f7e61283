import { InputError } from '../store/input-error.ts';
import { type Manifest, readManifest } from '../store/manifest.ts';
import { type RunDirectory, type StepName, stepDirectory } from '../store/run-directory.ts';

/**
 * The manifest of a step that must have been done before.
 *
 * @throws InputError that says which command to run first
 */
export async function finishedStep(
  run: RunDirectory,
  round: number,
  step: StepName,
): Promise<{ directory: string; manifest: Manifest }> {
  const directory = stepDirectory(run, round, step);
  const manifest = await readManifest(directory);
  if (manifest === undefined) {
    throw new InputError({
      file: directory,
      problem: `round ${round} has not finished its step ${step}`,
      remedy: `Run \`dataengine ${step} --round ${round}\` with the same config first`,
    });
  }
  return { directory, manifest };
}
