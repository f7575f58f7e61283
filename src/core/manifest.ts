import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { z } from 'zod';
import { requireFence } from './fence.ts';
import { hashFile, hashValue } from './hash.ts';
import { InputError } from './input-error.ts';
import { innerPath, joinInside, sha256Text } from './inside.ts';
import { prunedName, readPruned } from './pruned.ts';
import { readJson } from './read-json.ts';
import { emptyRecord } from './records.ts';
import { setAsideFile, setAsideFolder, textIfPresent } from './set-aside.ts';
import { writeJson, writeJsonOnce } from './write-file.ts';

const schemaVersion = 1;

/**
 * The path of an output: in the step's folder or, for what `append` publishes, a file beside it. A manifest may come from
 * a bucket, and what it names is hashed, removed when it is damaged, and uploaded.
 */
const outputPath = innerPath.or(z.string().regex(/^\.\.\/[^/\\\0.][^/\\\0]*$/));
const manifestSchema = z.object({
  schemaVersion: z.literal(schemaVersion),
  step: z.string(),
  inputsHash: z.string(),
  inputs: z.record(z.string(), z.string()),
  outputs: z.record(outputPath, sha256Text),
  metrics: z.record(z.string(), z.number()),
  startedAt: z.string(),
  finishedAt: z.string(),
});

/**
 * What a finished step leaves. It is written last, so its presence means that the step is complete. `inputs` holds each
 * small input as it is and a hash of each larger one; `outputs` maps each file, relative to the step's folder, to its
 * SHA-256; times are ISO 8601.
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
  /** The attempt that may finish the step: the one that started last. */
  attempt: z.string().optional(),
});

/**
 * A later attempt started the step while this one still worked: this one was thought dead, and must not finish the step.
 * A retry finds the result of the later one.
 */
export class StepTakenOver extends Error {
  override readonly name = 'StepTakenOver';
}

/**
 * Reads the manifest of a step's folder: undefined when the step has not finished there.
 *
 * @throws InputError when a newer version of this program wrote it: this version must not overwrite its results
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
    problem: `is ${found.schemaVersion}, and this version of the program supports ${schemaVersion}: a newer one wrote it`,
    remedy: 'Update this worker, or continue the run with workers of the newer version',
  });
}

/**
 * Does a step's work, unless a manifest says that it was done from the same inputs before and its files are unchanged.
 *
 * The folder must be the step's own. What an interrupted attempt left there (checkpoints, answers received) stays when
 * that attempt had the same inputs, so that the work can resume from it; otherwise it is removed.
 *
 * @param input.inputs everything that the result depends on; JSON values
 * @throws Error when the folder holds other steps' folders, or an output named by the work is missing
 * @throws StepTakenOver when another attempt started meanwhile: only the last one to start may finish
 * @throws InputError when the run has another owner by now
 *
 * @example
 * await runStepOnce({ directory, step: 'classify', inputs: { answers: hash }, work: async () => {
 *   await writeJson(join(directory, 'weight.json'), weights);
 *   return { outputs: ['weight.json'], metrics: { badCases: 12 } };
 * } });
 */
export async function runStepOnce(
  input: StepToRun & { work: (started: { /** Its id. */ attempt: string }) => Promise<StepResult> },
): Promise<{ manifest: Manifest; skipped: boolean }> {
  const { directory, step, inputs, work, now = () => new Date() } = input;
  const inputsHash = hashValue({ step, inputs });

  const started = await startStep(input);
  if ('manifest' in started) return { manifest: started.manifest, skipped: true };
  const { startedAt, attempt } = started;

  const { outputs, metrics } = await work({ attempt });

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
  await requireFence();
  await requireOwn(directory, step, attempt);
  // Never over that of an attempt that has finished since.
  if (!(await writeJsonOnce(join(directory, manifestName), manifest))) throw takenOver(directory, step);
  await removeOwnStart(directory, attempt);
  // All outputs are here again.
  await rm(join(directory, prunedName), { force: true });
  return { manifest, skipped: false };
}

/** A step, and everything that its result depends on (JSON values). */
export interface StepToRun {
  directory: string;
  step: string;
  inputs: Record<string, unknown>;
  /** Several calls do the step together: its time counts from the first one with the same inputs. */
  inSeveralCalls?: boolean;
  /** Whether a result of the same inputs is to be computed again. The work then resumes from what is in the folder. */
  redo?: (manifest: Manifest) => boolean;
  /** When work on it began, if that was before its inputs were known. */
  since?: Date;
  now?: () => Date;
}

/**
 * Prepares a step's folder, as `runStepOnce` does before the work: for steps that several processes do together. Such a
 * step is finished by `runStepOnce` with the same inputs and work that only joins the results.
 *
 * @returns the manifest when the step was done before; otherwise when it was started, and the id of this attempt
 */
export async function startStep(
  input: StepToRun,
): Promise<{ manifest: Manifest } | { startedAt: string; attempt: string }> {
  const { directory, step, inputs, inSeveralCalls, redo = () => false, now = () => new Date(), since = now() } = input;
  const inputsHash = hashValue({ step, inputs });

  // As it is now: this process may be stopped for hours between any two lines, while other attempts start and finish.
  const seen = await textsIn(directory);
  const earlier = await readManifest(directory);
  let damaged: string[] = [];
  if (earlier?.inputsHash === inputsHash && !redo(earlier)) {
    damaged = await findDamagedOutputs(directory, earlier);
    if (damaged.length === 0) return { manifest: earlier };
  }

  await requireFence();
  const before = earlier ?? (await readIfReadable(join(directory, startedName), startedSchema));
  const resumes = before?.inputsHash === inputsHash;
  const attempt = randomBytes(8).toString('hex');
  const isOfOthers = before !== undefined && !resumes;
  if (isOfOthers) await clearStepFolder(directory, step, seen);
  const startedAt = inSeveralCalls && resumes ? before.startedAt : since.toISOString();
  await writeJson(join(directory, startedName), { step, inputsHash, startedAt, attempt });
  const isOwn = await setAsideFile(join(directory, manifestName), isOfOthers ? undefined : seen.manifest);
  if (!isOwn) {
    await removeOwnStart(directory, attempt);
    throw takenOver(directory, step);
  }
  await requireOwn(directory, step, attempt);
  await Promise.all(damaged.map((file) => rm(outputFile(directory, file), { force: true })));
  return { startedAt, attempt };
}

/** What says whose a step's folder is, and whether it is finished. */
interface SeenTexts {
  manifest: string | undefined;
  started: string | undefined;
}

async function textsIn(directory: string): Promise<SeenTexts> {
  const [manifest, started] = await Promise.all(
    [manifestName, startedName].map((name) => textIfPresent(join(directory, name))),
  );
  return { manifest, started };
}

/** The hash of the inputs that a step was finished or started with; undefined for a folder without either. */
export async function inputsHashIn(directory: string): Promise<string | undefined> {
  const finished = await readIfReadable(join(directory, manifestName), manifestSchema);
  return (finished ?? (await readIfReadable(join(directory, startedName), startedSchema)))?.inputsHash;
}

async function requireOwn(directory: string, step: string, attempt: string): Promise<void> {
  if (!(await isOwnStart(directory, attempt))) throw takenOver(directory, step);
}

async function isOwnStart(directory: string, attempt: string): Promise<boolean> {
  const latest = await readIfReadable(join(directory, startedName), startedSchema);
  return latest?.attempt === attempt;
}

async function removeOwnStart(directory: string, attempt: string): Promise<void> {
  if (await isOwnStart(directory, attempt)) await rm(join(directory, startedName), { force: true });
}

function takenOver(directory: string, step: string): StepTakenOver {
  return new StepTakenOver(`Another attempt at the step ${step} in ${directory} started while this one worked`);
}

// A manifest that can't be read (of an older program, or damaged) only means that the step runs again.
async function readIfReadable<S extends z.ZodType>(file: string, schema: S): Promise<z.output<S> | undefined> {
  try {
    return await readJson(file, schema);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/**
 * The file of an output that a manifest names: in the step's folder, or beside it.
 *
 * @throws InputError when it is elsewhere
 */
export function outputFile(directory: string, output: string): string {
  const file = join(directory, manifestName);
  return output.startsWith('../')
    ? joinInside(dirname(directory), output.slice('../'.length), file)
    : joinInside(directory, output, file);
}

async function findDamagedOutputs(directory: string, manifest: Manifest): Promise<string[]> {
  const damaged: string[] = [];
  // What was removed to save space is made again when it is needed.
  const pruned = (await readPruned(directory))?.files ?? {};
  for (const [file, hash] of Object.entries(manifest.outputs)) {
    if (pruned[file]?.sha256 === hash) continue;
    if ((await hashIfPresent(outputFile(directory, file))) !== hash) damaged.push(file);
  }
  return damaged;
}

async function hashOutputs(directory: string, step: string, files: string[]): Promise<Record<string, string>> {
  const hashes: Record<string, string> = emptyRecord();
  for (const file of files) {
    const name = isAbsolute(file) ? relative(directory, file).replaceAll(sep, '/') : file;
    const hash = await hashIfPresent(outputFile(directory, name));
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

/** Removes what attempts with other inputs left, unless another attempt has started since it was looked at. */
async function clearStepFolder(directory: string, step: string, seen: SeenTexts): Promise<void> {
  const foreign = (await filesBelow(directory)).find(
    (entry) => entry.includes(sep) && [manifestName, startedName].includes(entry.split(sep).at(-1) ?? ''),
  );
  if (foreign) throw new Error(`${directory} is not one step's own folder: it holds ${foreign}`);
  const isAsSeen = async (folder: string) => {
    const { manifest, started } = await textsIn(folder);
    return manifest === seen.manifest && started === seen.started;
  };
  if (!(await setAsideFolder(directory, isAsSeen))) throw takenOver(directory, step);
}

async function filesBelow(directory: string): Promise<string[]> {
  try {
    return await readdir(directory, { recursive: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function shortForm(value: unknown): string {
  if (typeof value === 'string' && value.length <= 120) return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return hashValue(value ?? null);
}
