import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { z } from 'zod';
import { hashFile, hashValue } from './hash.ts';
import { InputError } from './input-error.ts';
import { readJson } from './read-json.ts';
import { writeJson } from './write-file.ts';

const schemaVersion = 1;
const manifestSchema = z.object({
  schemaVersion: z.literal(schemaVersion),
  step: z.string(),
  inputsHash: z.string(),
  inputs: z.record(z.string(), z.string()),
  outputs: z.record(z.string(), z.string()),
  metrics: z.record(z.string(), z.number()),
  startedAt: z.string(),
  finishedAt: z.string(),
});

/**
 * What a finished step leaves behind. It is written last, so its presence means that the step is complete.
 * `inputs` holds each small input as it is and a hash of each larger one; `outputs` maps each file, relative
 * to the step's folder, to its SHA-256; times are ISO 8601.
 */
export type Manifest = z.output<typeof manifestSchema>;

/** What the work of a step reports: its files (absolute, or relative to the folder) and its figures. */
export interface StepResult {
  outputs: string[];
  metrics: Record<string, number>;
}

export const manifestName = 'manifest.json';
export const startedName = 'started.json';
const startedSchema = z.object({
  step: z.string(),
  inputsHash: z.string(),
  startedAt: z.string(),
  /** The attempt that may finish the step: the one that began last. */
  attempt: z.string().optional(),
});

/**
 * A later attempt began the step while this one still worked: this one had been thought dead, and must not say that it is
 * done. Trying again finds what the later one did.
 */
export class StepTakenOver extends Error {
  override readonly name = 'StepTakenOver';
}

/**
 * Reads the manifest of a step's folder: undefined when the step has not finished there.
 *
 * @throws InputError when a newer version of this program wrote it: what that did must not be done over by this one
 */
export async function readManifest(directory: string): Promise<Manifest | undefined> {
  const file = join(directory, manifestName);
  const manifest = await readIfReadable(file, manifestSchema);
  if (manifest === undefined) await refuseNewer(file);
  return manifest;
}

async function refuseNewer(file: string): Promise<void> {
  const found = await readIfReadable(file, z.looseObject({ schemaVersion: z.number() }));
  if (found === undefined || found.schemaVersion <= schemaVersion) return;
  throw new InputError({
    file,
    field: 'schemaVersion',
    problem: `is ${found.schemaVersion}, and this version of the program knows ${schemaVersion}: a newer one wrote it`,
    remedy: 'Update this worker, or give the run to workers of the newer version',
  });
}

/**
 * Does a step's work, unless a manifest says that it was done already from the same inputs and its files
 * are still as they were.
 *
 * The folder must be the step's own. What an interrupted attempt left there (checkpoints, answers received)
 * stays when that attempt had the same inputs, so that the work can resume from it, and is removed when
 * the inputs were others, so that it can't.
 *
 * @param input.inputs everything that the result depends on; JSON values
 * @throws Error when the folder holds other steps' folders, or an output named by the work is not there.
 * @throws StepTakenOver when another attempt began meanwhile: the last one to begin is the one that finishes
 *
 * @example
 * await runStepOnce({ directory, step: 'classify', inputs: { answers: hash }, work: async () => {
 *   await writeJson(join(directory, 'weight.json'), weights);
 *   return { outputs: ['weight.json'], metrics: { badCases: 12 } };
 * } });
 */
export async function runStepOnce(
  input: StepToRun & { work: () => Promise<StepResult> },
): Promise<{ manifest: Manifest; skipped: boolean }> {
  const { directory, step, inputs, work, now = () => new Date() } = input;
  const inputsHash = hashValue({ step, inputs });

  const begun = await beginStep(input);
  if ('manifest' in begun) return { manifest: begun.manifest, skipped: true };
  const { startedAt, attempt } = begun;

  const { outputs, metrics } = await work();

  const manifest: Manifest = {
    schemaVersion: 1,
    step,
    inputsHash,
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, shortForm(value)])),
    outputs: await hashOutputs(directory, step, outputs),
    metrics,
    startedAt,
    finishedAt: now().toISOString(),
  };
  await requireOwn(directory, step, attempt);
  await writeJson(join(directory, manifestName), manifest);
  await rm(join(directory, startedName), { force: true });
  return { manifest, skipped: false };
}

/** A step, and everything that its result depends on. */
export interface StepToRun {
  directory: string;
  step: string;
  inputs: Record<string, unknown>;
  /** The step is done by several calls: its time counts from the first that had the same inputs. */
  inSeveralCalls?: boolean;
  /** Whether what was done from the same inputs is to be done over. What is left in the folder is gone on with. */
  doneOver?: (manifest: Manifest) => boolean;
  now?: () => Date;
}

/**
 * Makes a step's folder ready, as `runStepOnce` does before the work: for steps whose work several processes share.
 * `runStepOnce` with the same inputs, and work that only puts the results together, ends such a step.
 *
 * @returns the manifest when the step was done already; else when it was begun, and the attempt that began it
 */
export async function beginStep(
  input: StepToRun,
): Promise<{ manifest: Manifest } | { startedAt: string; attempt: string }> {
  const { directory, step, inputs, inSeveralCalls, doneOver = () => false, now = () => new Date() } = input;
  const inputsHash = hashValue({ step, inputs });

  const earlier = await readManifest(directory);
  if (earlier?.inputsHash === inputsHash && !doneOver(earlier)) {
    const damaged = await findDamagedOutputs(directory, earlier);
    if (damaged.length === 0) return { manifest: earlier };
    await Promise.all(damaged.map((file) => rm(join(directory, file), { force: true })));
  }

  const begun = earlier ?? (await readIfReadable(join(directory, startedName), startedSchema));
  const goesOn = begun?.inputsHash === inputsHash;
  if (begun && !goesOn) await clearStepFolder(directory);
  const startedAt = inSeveralCalls && goesOn ? begun.startedAt : now().toISOString();
  const attempt = randomBytes(8).toString('hex');
  await writeJson(join(directory, startedName), { step, inputsHash, startedAt, attempt });
  await rm(join(directory, manifestName), { force: true });
  return { startedAt, attempt };
}

/** The hash of the inputs that a step's folder was finished or begun with; undefined for a folder that was neither. */
export async function inputsHashIn(directory: string): Promise<string | undefined> {
  const finished = await readIfReadable(join(directory, manifestName), manifestSchema);
  return (finished ?? (await readIfReadable(join(directory, startedName), startedSchema)))?.inputsHash;
}

async function requireOwn(directory: string, step: string, attempt: string): Promise<void> {
  const latest = await readIfReadable(join(directory, startedName), startedSchema);
  if (latest?.attempt === attempt) return;
  throw new StepTakenOver(`Another attempt at the step ${step} in ${directory} began while this one worked`);
}

// A manifest that can't be read (an older program's, or a damaged one) only means that the step runs again.
async function readIfReadable<S extends z.ZodType>(file: string, schema: S): Promise<z.output<S> | undefined> {
  try {
    return await readJson(file, schema);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

async function findDamagedOutputs(directory: string, manifest: Manifest): Promise<string[]> {
  const damaged: string[] = [];
  for (const [file, hash] of Object.entries(manifest.outputs)) {
    if ((await hashIfPresent(join(directory, file))) !== hash) damaged.push(file);
  }
  return damaged;
}

async function hashOutputs(directory: string, step: string, files: string[]): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const file of files) {
    const name = isAbsolute(file) ? relative(directory, file).replaceAll(sep, '/') : file;
    const hash = await hashIfPresent(join(directory, name));
    if (hash === undefined)
      throw new Error(`Step ${step} names ${name} as its output, but did not write it in ${directory}`);
    hashes[name] = hash;
  }
  return hashes;
}

async function hashIfPresent(file: string): Promise<string | undefined> {
  try {
    return await hashFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function clearStepFolder(directory: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true });
  const foreign = entries.find(
    (entry) => entry.includes(sep) && [manifestName, startedName].includes(entry.split(sep).at(-1) ?? ''),
  );
  if (foreign) throw new Error(`${directory} is not one step's own folder: it holds ${foreign}`);
  await rm(directory, { recursive: true, force: true });
}

function shortForm(value: unknown): string {
  if (typeof value === 'string' && value.length <= 120) return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return hashValue(value ?? null);
}
