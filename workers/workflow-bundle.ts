/**
 * The workflows bundled ahead of time. A worker executes a bundle only with the content that `npm run bundle` recorded
 * beside it, and from no folder that steps write into: there, the writer of a bucket could have put it.
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { WorkflowBundle } from '@temporalio/worker';
import { hashBytes } from '../src/core/hash.ts';
import { InputError } from '../src/core/input-error.ts';
import { followLinks, isBelow } from '../src/core/inside.ts';
import type { WorkerSettings } from '../src/core/worker-settings.ts';
import { writeFileAtomically } from '../src/core/write-file.ts';

/** Where `npm run bundle` writes it, in the project. */
export const defaultWorkflowBundle = 'build/workflow-bundle.js';

const makeItAgain = 'Run `npm run bundle` again, and name the file that it prints';

/** Has the SHA-256 of the bundle, as `sha256sum` writes and checks it. */
const recordOf = (file: string) => `${file}.sha256`;

export async function writeWorkflowBundle(file: string, code: string): Promise<void> {
  await writeFileAtomically(file, code);
  await writeFileAtomically(recordOf(file), `${hashBytes(code)}  ${basename(file)}\n`);
}

/**
 * The code of a bundle, for the SDK. It is read once: what is checked is what is executed.
 *
 * @throws InputError when its content is not the recorded one, and when the bundle is where steps of this worker may write
 */
export async function readWorkflowBundle(
  file: string,
  { runs, cache }: Pick<WorkerSettings, 'runs' | 'cache'>,
): Promise<Pick<WorkflowBundle, 'code'>> {
  const written = await Promise.all([...runs, cache].map(followLinks));
  if (isBelow(await followLinks(file), written)) {
    throw new InputError({
      file,
      problem: 'the bundle of workflows is in a folder that steps of this worker write into',
      remedy: `Keep it elsewhere, as \`npm run bundle\` does in ${defaultWorkflowBundle}`,
    });
  }
  const code = await read(file, 'the bundle of workflows');
  const record = await read(recordOf(file), "the record of the bundle's SHA-256");
  if (hashBytes(code) !== /^[0-9a-f]{64}(?=\s)/.exec(record)?.[0]) {
    throw new InputError({
      file,
      problem: `its SHA-256 is not the one in ${recordOf(file)}: the bundle was changed after it was made`,
      remedy: makeItAgain,
    });
  }
  return { code };
}

async function read(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new InputError({ file, problem: `${what} can't be read (${code})`, remedy: makeItAgain }, { cause: error });
  }
}
