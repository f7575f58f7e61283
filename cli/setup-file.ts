import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { InputError } from '../store/input-error.ts';
import { readJson } from '../store/read-json.ts';

const setupSchema = z.object({ temporal: z.string(), tensorflow: z.string() });
export const setupFile = fileURLToPath(new URL('../.cache/setup.json', import.meta.url));

/** What `scripts/setup.mjs` found or fetched: the Temporal CLI's path and native TensorFlow's folder. */
export type Setup = z.output<typeof setupSchema>;

/** Reads what set-up left, or undefined when it has not run. */
export async function readSetup(): Promise<Setup | undefined> {
  const present = await access(setupFile).then(
    () => true,
    () => false,
  );
  return present ? readJson(setupFile, setupSchema) : undefined;
}

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
