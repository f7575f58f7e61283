import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { fileExists } from './files.ts';
import { InputError } from './input-error.ts';
import { readSettings } from './read-json.ts';

export const setupFile = fileURLToPath(new URL('../../.cache/setup.json', import.meta.url));

/** Paths are relative to the file's folder: a copied checkout uses its own programs. */
const path = z.string().transform((value) => resolve(dirname(setupFile), value));
const setupSchema = z.object({
  temporal: path,
  tensorflow: path,
  gpu: z.boolean().default(false),
  python: path.optional(),
  torch: path.optional(),
});

/** What `scripts/setup.mjs` found or downloaded: the Temporal CLI, native TensorFlow (with or without CUDA), Pythons. */
export type Setup = z.output<typeof setupSchema>;

/** Reads the result of the set-up; undefined when it has not run. */
export async function readSetup(): Promise<Setup | undefined> {
  return (await fileExists(setupFile)) ? readSettings(setupFile, setupSchema) : undefined;
}

/** The optional environments, and what the Python of each must have. */
const pythons = {
  python: { variable: 'DATAENGINE_PYTHON', packages: 'torch, transformers, gguf and accelerate' },
  torch: { variable: 'DATAENGINE_TORCH_PYTHON', packages: 'the packages of src/trainer/torch/requirements.txt' },
} as const;

/**
 * The path of the Python of an optional environment: the one that an environment variable names, otherwise the one of
 * `dataengine setup --<environment>`.
 *
 * @throws InputError when there is neither
 */
export async function pythonOfSetup(environment: keyof typeof pythons): Promise<string> {
  const { variable, packages } = pythons[environment];
  const python = process.env[variable] || (await readSetup())?.[environment];
  if (python !== undefined && (await fileExists(python))) return python;
  throw new InputError({
    file: python ?? setupFile,
    problem: python === undefined ? 'this needs an optional Python environment' : 'there is no such Python',
    remedy: `Run \`dataengine setup --${environment}\`, or name a Python with ${packages} in ${variable}`,
  });
}
