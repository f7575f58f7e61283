/**
 * The history of a run's generated data: append-only, content-addressed.
 *
 *   dataset-versions/<id>.json       what a version is; its id is the hash of the rest
 *   dataset-versions/objects/<hash>  the files of all versions, by content
 *   dataset-versions/log.jsonl       which version was appended when, and which were set aside
 *
 * A repeated round adds a version; nothing is ever overwritten, so every version can be restored. A version that was set
 * aside stays, but no version adds to it.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { openJsonLines } from '../core/append-json-lines.ts';
import { requireFence } from '../core/fence.ts';
import { fileExists } from '../core/files.ts';
import { hashValue } from '../core/hash.ts';
import { InputError } from '../core/input-error.ts';
import { innerPath, joinInside, sha256Text } from '../core/inside.ts';
import { readJson, readJsonLines } from '../core/read-json.ts';
import { writeJson } from '../core/write-file.ts';
import { keepObject, objectFile } from './version-objects.ts';

export const versionsFolder = 'dataset-versions';

const counts = z.record(z.string(), z.int().nonnegative());
const versionSchema = z.object({
  schemaVersion: z.literal(2),
  /** SHA-256 of all that follows. */
  id: sha256Text,
  /** Ids of the versions that this one adds to; empty for the first. */
  parents: z.array(sha256Text),
  round: z.int().nonnegative(),
  files: z.array(z.object({ name: innerPath, sha256: sha256Text, samples: z.int().nonnegative() })),
  countsByType: counts,
  teacher: z.string(),
  promptVersion: z.string(),
  seed: z.union([z.number(), z.string()]),
  /** What the teacher's answers cost; the amount only where prices are known. */
  cost: z.object({
    promptTokens: z.int().nonnegative(),
    completionTokens: z.int().nonnegative(),
    amount: z.number().optional(),
    /** Of `amount`: `USD`. */
    currency: z.string().optional(),
  }),
  /** The teacher's answers that were rejected. */
  rejected: z.int().nonnegative(),
  rejectedByReason: counts,
  /** Where a person decided about samples: how many have which decision, and the decisions as a stored file. */
  review: z
    .object({
      sha256: sha256Text,
      kept: z.int().nonnegative(),
      edited: z.int().nonnegative(),
      rejected: z.int().nonnegative(),
      undecided: z.int().nonnegative(),
    })
    .optional(),
});

/** What one round added to the data, and its origin. */
export type DatasetVersion = z.output<typeof versionSchema>;

/** A version to append, with its files on the disk. */
export type NewVersion = Omit<DatasetVersion, 'schemaVersion' | 'id' | 'parents' | 'files' | 'review'> & {
  files: readonly { /** Of the file in the version, without folder. */ name: string; path: string; samples: number }[];
  review?: Omit<NonNullable<DatasetVersion['review']>, 'sha256'> & { path: string };
};

const logEntrySchema = z.object({
  id: sha256Text,
  round: z.int(),
  at: z.string(),
  /** A line with this field appends nothing: it records whether the version is built upon. */
  setAside: z.boolean().optional(),
});

/** A line of the history. */
export interface VersionInHistory {
  version: DatasetVersion;
  /** ISO 8601. */
  at: string;
  /** False when its round was repeated afterwards. */
  current: boolean;
  /** True when the model trained with it was not good enough to be built upon. */
  setAside: boolean;
}

/**
 * Adds a round's data as a version whose parent is the current version of the round before it that has one.
 * The same data appended again on the same parent changes nothing.
 *
 * @param runRoot the run's folder, `runs/<run>`
 * @returns the version, and whether it is new
 */
export async function appendVersion(
  runRoot: string,
  { files, review, ...facts }: NewVersion,
  now: () => Date = () => new Date(),
): Promise<{ version: DatasetVersion; appended: boolean }> {
  const parent = await parentOf(runRoot, facts.round);
  const kept: DatasetVersion['files'] = [];
  for (const { name, path, samples } of files) {
    kept.push({ name, samples, sha256: await keepObject(join(runRoot, versionsFolder), path) });
  }
  const decided = review && (await keepReview(runRoot, review));
  const content = {
    schemaVersion: 2 as const,
    parents: parent ? [parent.id] : [],
    files: kept,
    ...facts,
    ...(decided && { review: decided }),
  };
  const version = versionSchema.parse({ id: hashValue(content), ...content });
  await writeJson(versionFile(runRoot, version.id), version);
  const history = await versionHistory(runRoot);
  if (history.some(({ version: { id }, current }) => current && id === version.id)) return { version, appended: false };
  await log(runRoot, { id: version.id, round: version.round, at: now().toISOString() });
  return { version, appended: true };
}

async function keepReview(
  runRoot: string,
  { path, ...counts }: NonNullable<NewVersion['review']>,
): Promise<DatasetVersion['review']> {
  return { ...counts, sha256: await keepObject(join(runRoot, versionsFolder), path) };
}

/** Records whether the current version of a round is built upon. Repeating it changes nothing. */
export async function markVersion(
  runRoot: string,
  { round, setAside }: { round: number; setAside: boolean },
  now: () => Date = () => new Date(),
): Promise<void> {
  const entry = (await versionHistory(runRoot)).find(({ version, current }) => current && version.round === round);
  if (entry === undefined || entry.setAside === setAside) return;
  await log(runRoot, { id: entry.version.id, round, at: now().toISOString(), setAside });
}

/** The version that a round's data will be added to: the newest of the earlier rounds that was not set aside. */
export async function parentOf(runRoot: string, round: number): Promise<DatasetVersion | undefined> {
  const earlier = (await versionHistory(runRoot)).filter((entry) => isBuiltUpon(entry) && entry.version.round < round);
  return earlier.sort((left, right) => left.version.round - right.version.round).at(-1)?.version;
}

/**
 * All versions that were ever appended, oldest first.
 *
 * @throws InputError when a version's file was modified
 */
export async function versionHistory(runRoot: string): Promise<VersionInHistory[]> {
  if (!(await fileExists(logFile(runRoot)))) return [];
  const lines = withoutRepeats(
    await readJsonLines(logFile(runRoot), logEntrySchema, { tolerateTruncatedLastLine: true }),
  );
  const entries = lines.filter(({ setAside }) => setAside === undefined);
  const last = new Map(entries.map(({ round }, index) => [round, index]));
  return Promise.all(
    entries.map(async ({ id, round, at }, index) => ({
      version: await readVersion(runRoot, id),
      at,
      current: last.get(round) === index,
      setAside: lines.findLast((line) => line.id === id && line.setAside !== undefined)?.setAside ?? false,
    })),
  );
}

/** Two attempts at once may both append the version that neither has seen in the log. */
function withoutRepeats<Entry extends z.output<typeof logEntrySchema>>(lines: readonly Entry[]): Entry[] {
  const current = new Map<number, string>();
  return lines.filter(({ id, round, setAside }) => {
    if (setAside !== undefined) return true;
    const isRepeated = current.get(round) === id;
    current.set(round, id);
    return !isRepeated;
  });
}

/**
 * Finds a version by the beginning of its id, by `round-<k>` (the current one of that round) or as `latest` (the
 * newest that is built upon).
 *
 * @throws InputError when there is none, or more than one
 */
export async function findVersion(runRoot: string, name: string): Promise<DatasetVersion> {
  const history = await versionHistory(runRoot);
  const current = history.filter((entry) => entry.current).map(({ version }) => version);
  const builtUpon = history.filter(isBuiltUpon).map(({ version }) => version);
  const matches =
    name === 'latest'
      ? builtUpon.sort((left, right) => left.round - right.round).slice(-1)
      : history.map(({ version }) => version).filter(({ id }) => /^[0-9a-f]{4,}$/.test(name) && id.startsWith(name));
  const ofRound = current.filter(({ round }) => name === `round-${round}`);
  const found = new Map([...matches, ...ofRound].map((version) => [version.id, version]));
  const [version] = found.values();
  if (version !== undefined && found.size === 1) return version;
  throw new InputError({
    file: join(runRoot, versionsFolder),
    field: name,
    problem: found.size > 1 ? `is the beginning of ${found.size} ids` : 'is not a version of this run',
    remedy: 'Give the beginning of an id that `dataengine data log` shows, round-<k>, or latest',
  });
}

/** The versions that make up the data at a version: the first one first, the version itself last. */
export async function lineageOf(runRoot: string, version: DatasetVersion): Promise<DatasetVersion[]> {
  const [parent] = version.parents;
  if (parent === undefined) return [version];
  return [...(await lineageOf(runRoot, await readVersion(runRoot, parent))), version];
}

/** The stored file of a version. */
export function versionObject(runRoot: string, { sha256 }: { sha256: string }): string {
  return objectFile(join(runRoot, versionsFolder), sha256);
}

function isBuiltUpon({ current, setAside }: VersionInHistory): boolean {
  return current && !setAside;
}

async function log(runRoot: string, entry: z.output<typeof logEntrySchema>): Promise<void> {
  await requireFence();
  const lines = await openJsonLines(logFile(runRoot));
  try {
    await lines.append(entry);
  } finally {
    await lines.close();
  }
}

async function readVersion(runRoot: string, wanted: string): Promise<DatasetVersion> {
  const file = versionFile(runRoot, wanted);
  const version = await readJson(file, versionSchema);
  const { id, ...content } = version;
  if (id === wanted && hashValue(content) === id) return version;
  throw new InputError({
    file,
    field: 'id',
    problem: 'does not match the content: the file was modified',
    remedy: 'Restore it, or run the append step of this round again',
  });
}

const versionFile = (runRoot: string, id: string) => joinInside(join(runRoot, versionsFolder), `${id}.json`);
const logFile = (runRoot: string) => join(runRoot, versionsFolder, 'log.jsonl');
