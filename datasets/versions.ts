import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { hashFile, hashValue } from '../store/hash.ts';
import { InputError } from '../store/input-error.ts';
import { readJson } from '../store/read-json.ts';
import { writeJson } from '../store/write-file.ts';

const FOLDER = 'dataset-versions';

const versionSchema = z.object({
  schemaVersion: z.literal(1),
  /** SHA-256 of all that follows. */
  id: z.string(),
  /** Ids of the versions that this one adds to; empty for the first. */
  parents: z.array(z.string()),
  round: z.int().nonnegative(),
  /** Names relative to the run's folder. */
  files: z.array(z.object({ name: z.string(), sha256: z.string(), samples: z.int().nonnegative() })),
  countsByType: z.record(z.string(), z.number()),
  teacher: z.string(),
  promptVersion: z.string(),
  seed: z.union([z.number(), z.string()]),
  /** Answers of the teacher that were not taken. */
  rejected: z.int().nonnegative(),
});

/** What one round added to the data, and where it came from. */
export type DatasetVersion = z.output<typeof versionSchema>;

export interface NewVersion {
  round: number;
  files: readonly { /** Relative to the run's folder. */ name: string; samples: number }[];
  countsByType: Record<string, number>;
  teacher: string;
  promptVersion: string;
  seed: number | string;
  rejected: number;
}

/**
 * Adds a round's data as a version whose parent is the newest version of an earlier round. The same data
 * appended again changes nothing; other data for the same round replaces it.
 *
 * @param runRoot the run's folder, `runs/<run>`
 * @returns the version, and whether it is new
 * @throws InputError when a later round already builds on other data of this round.
 */
export async function appendVersion(
  runRoot: string,
  input: NewVersion,
): Promise<{ version: DatasetVersion; appended: boolean }> {
  const versions = await listVersions(runRoot);
  const parent = versions.findLast(({ round }) => round < input.round);
  const files = [];
  for (const { name, samples } of input.files) {
    files.push({ name, sha256: await hashFile(join(runRoot, name)), samples });
  }
  const content = {
    schemaVersion: 1 as const,
    parents: parent ? [parent.id] : [],
    round: input.round,
    files,
    countsByType: input.countsByType,
    teacher: input.teacher,
    promptVersion: input.promptVersion,
    seed: input.seed,
    rejected: input.rejected,
  };
  const version: DatasetVersion = { id: hashValue(content), ...content };

  const file = versionFile(runRoot, input.round);
  const earlier = versions.find(({ round }) => round === input.round);
  if (earlier?.id === version.id) return { version: earlier, appended: false };
  const child = earlier && versions.find(({ parents }) => parents.includes(earlier.id));
  if (child) {
    throw new InputError({
      file,
      problem: `round ${child.round} already builds on other data of this round`,
      remedy: 'Start a new run, or remove the later rounds',
    });
  }
  await writeJson(file, version);
  return { version, appended: true };
}

/**
 * All versions of a run, by round.
 *
 * @throws InputError when a version's file was changed by hand.
 */
export async function listVersions(runRoot: string): Promise<DatasetVersion[]> {
  const names = await readdir(join(runRoot, FOLDER)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const files = names.filter((name) => /^round-\d+\.json$/.test(name)).map((name) => join(runRoot, FOLDER, name));
  const versions = await Promise.all(files.map(readVersion));
  return versions.sort((left, right) => left.round - right.round);
}

async function readVersion(file: string): Promise<DatasetVersion> {
  const version = await readJson(file, versionSchema);
  const { id, ...content } = version;
  if (hashValue(content) !== id) {
    throw new InputError({
      file,
      field: 'id',
      problem: 'does not fit the content',
      remedy: 'Run the append step of this round again',
    });
  }
  return version;
}

function versionFile(runRoot: string, round: number): string {
  return join(runRoot, FOLDER, `round-${round}.json`);
}
