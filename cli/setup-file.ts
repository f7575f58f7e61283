import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { InputError } from '../store/input-error.ts';
import { readJson } from '../store/read-json.ts';

const setupSchema = z.object({
  temporal: z.string(),
  tensorflow: z.string(),
  gpu: z.boolean().default(false),
  python: z.string().optional(),
});
export const setupFile = fileURLToPath(new URL('../.cache/setup.json', import.meta.url));

/** What `scripts/setup.mjs` found or fetched: the Temporal CLI, native TensorFlow (for CUDA or not), a Python. */
export type Setup = z.output<typeof setupSchema>;

/** Reads what set-up left, or undefined when it has not run. */
export async function readSetup(): Promise<Setup | undefined> {
  return (await isThere(setupFile)) ? readJson(setupFile, setupSchema) : undefined;
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
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

/**
 * Path of the Python that reads what only Python reads: the one that DATAENGINE_PYTHON names, else the one of
 * `dataengine setup --python`.
 *
 * @throws InputError when neither is there
 */
export async function pythonExecutable(): Promise<string> {
  const python = process.env.DATAENGINE_PYTHON || (await readSetup())?.python;
  const present = python !== undefined && (await isThere(python));
  if (present) return python;
  throw new InputError({
    file: python ?? setupFile,
    problem: python === undefined ? 'this needs the optional Python environment' : 'this Python is not there',
    remedy:
      'Run `dataengine setup --python`, or name a Python with torch, transformers, gguf and accelerate in DATAENGINE_PYTHON',
  });
}
