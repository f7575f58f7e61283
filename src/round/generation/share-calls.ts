import { inputsHashIn } from '../../core/manifest.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import type { TeacherWork } from './work.ts';

/**
 * Has the calls on this disk that other machines have made so far, and sends those that are made here as they come in: a
 * worker that takes a chunk over asks for nothing that was answered. For a run on this disk there is nothing to do.
 *
 * @param files beginning of the names of the files that matter; default: all
 */
export async function shareCalls(
  { stored }: RunDirectory,
  { calls, directory, purpose }: Pick<TeacherWork<never>, 'calls' | 'directory' | 'purpose'>,
  files = '',
): Promise<void> {
  // What other requests, or another teacher, were asked before is no answer. The lists of a verification have folders.
  const of = purpose === 'generate' ? await inputsHashIn(directory) : undefined;
  await stored?.sync(calls, { startingWith: files, ...(of !== undefined && { of }) });
}
