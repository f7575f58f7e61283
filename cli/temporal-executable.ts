import { InputError } from '../src/core/input-error.ts';
import { readSetup, setupFile } from '../src/core/setup-file.ts';

/**
 * Path of the Temporal CLI.
 *
 * @throws InputError when set-up has not run
 */
export async function temporalExecutable(): Promise<string> {
  const setup = await readSetup();
  if (setup === undefined)
    throw new InputError({
      file: setupFile,
      problem: 'the set-up has not run',
      remedy: 'Run `node scripts/setup.mjs`',
    });
  return setup.temporal;
}
