import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { fileExists, makeFolder, requireEmptyOrMissing } from '../files.ts';
import { hashFile } from '../hash.ts';
import { InputError } from '../input-error.ts';
import { joinInside } from '../inside.ts';
import { readJson } from '../read-json.ts';
import { StorageError, writeJson } from '../write-file.ts';
import type { HubAccess } from './hub-access.ts';
import {
  contentOf,
  filesAt,
  findCommit,
  type HubFile,
  type HubRepo,
  hubError,
  isSameContent,
  listedHash,
  startListedHash,
} from './hub-repo.ts';

/** In a folder that was pulled: what it is a copy of. */
export const pulledFile = '.dataengine-hub.json';
const pulledSchema = z.looseObject({
  commit: z.string(),
  files: z.record(z.string(), z.object({ size: z.number(), sha256: z.string() })),
});

export interface Pull {
  repo: HubRepo;
  /** A branch, a tag or a commit. */
  revision: string;
  /** A folder that does not exist yet, is empty, or has the same commit already. */
  output: string;
  /** All files together may have so many bytes. */
  mostBytes: number;
  signal?: AbortSignal | undefined;
}

/**
 * Copies a repository of the Hub at one commit. The folder appears once all files are there with the sizes and hashes that the
 * Hub lists; until then they are in `<output>.<commit>.part`, from where a later call resumes. `.dataengine-hub.json` records
 * the commit.
 *
 * @returns the commit, and whether anything had to be downloaded
 * @throws InputError for a repository that is not there or too large, a path that leads out of the folder, and a file that
 *   is not what the list says; StorageError when the disk is full
 */
export async function pullRepo(
  hub: HubAccess,
  pull: Pull,
): Promise<{ commit: string; files: string[]; isNew: boolean }> {
  const { repo, revision, mostBytes } = pull;
  const output = resolve(pull.output);
  const commit = await findCommit(hub, repo, revision);
  if (commit === undefined) {
    throw new InputError({
      file: `${repo.type} ${repo.name}`,
      field: revision,
      problem: hub.token === undefined ? 'is not on the Hub, or needs a token' : 'is not on the Hub',
      remedy: 'Check the name, the type (--type) and the revision (--revision), and set HF_TOKEN for what is private',
    });
  }
  const files = await filesAt(hub, repo, commit);
  const paths = files.map(({ path }) => path);
  requireFitting(pull, files, mostBytes);
  if (await isCopyOf(output, commit, paths)) return { commit, files: paths, isNew: false };
  await requireEmptyOrMissing(pull.output);
  const part = `${output}.${commit.slice(0, 12)}.part`;
  await mkdir(part, { recursive: true }).catch((cause: unknown) => Promise.reject(new StorageError(part, cause)));
  const record: z.output<typeof pulledSchema>['files'] = {};
  for (const file of files) {
    pull.signal?.throwIfAborted();
    const target = joinInside(part, file.path);
    if (!(await isSameContent(target, file))) await download(hub, pull, commit, file, target);
    // Content with another hash than the listed one was refused.
    const sha256 = 'sha256' in file.hash ? file.hash.sha256 : await hashFile(target);
    record[file.path] = { size: file.size, sha256 };
  }
  await writeJson(joinInside(part, pulledFile), { endpoint: hub.endpoint, ...repo, revision, commit, files: record });
  if (await fileExists(output)) await rmdir(output);
  await rename(part, output);
  return { commit, files: paths, isNew: true };
}

function requireFitting({ repo, output }: Pull, files: readonly HubFile[], mostBytes: number): void {
  const file = `${repo.type} ${repo.name}`;
  const seen = new Set<string>();
  let bytes = 0;
  for (const { path, size } of files) {
    joinInside(output, path, file);
    const parts = path.split('/');
    const isOwn = path === pulledFile || parts.includes('.git') || parts.includes('') || parts.includes('.');
    if (isOwn || seen.has(path)) {
      const problem = `the path ${JSON.stringify(path.slice(0, 200))} ${seen.has(path) ? 'is listed twice' : 'is reserved'}`;
      throw new InputError({ file, problem, remedy: 'Do not use this repository' });
    }
    seen.add(path);
    bytes += size;
  }
  if (bytes <= mostBytes) return;
  const GIBIBYTE = 2 ** 30;
  throw new InputError({
    file,
    problem: `has ${(bytes / GIBIBYTE).toFixed(1)} GiB, more than ${(mostBytes / GIBIBYTE).toFixed(1)}`,
    remedy: 'Allow more (--max-size)',
  });
}

async function isCopyOf(folder: string, commit: string, paths: readonly string[]): Promise<boolean> {
  const file = joinInside(folder, pulledFile);
  if (!(await fileExists(file))) return false;
  const record = await readJson(file, pulledSchema).catch(() => undefined);
  if (record?.commit !== commit) return false;
  for (const path of paths) {
    const known = record.files[path];
    const hash: HubFile['hash'] = { sha256: known?.sha256 ?? '' };
    if (known === undefined || !(await isSameContent(joinInside(folder, path), { path, size: known.size, hash }))) {
      return false;
    }
  }
  return true;
}

async function download(
  hub: HubAccess,
  { repo, signal }: Pull,
  revision: string,
  file: HubFile,
  target: string,
): Promise<void> {
  const place = `${repo.type} ${repo.name}`;
  await makeFolder(dirname(target));
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const hash = startListedHash(file);
    const handle = await open(temporary, 'wx').catch((cause: unknown) =>
      Promise.reject(new StorageError(target, cause)),
    );
    let length = 0;
    try {
      const content = await contentOf(hub, repo, revision, file);
      for await (const piece of content.stream() as unknown as AsyncIterable<Uint8Array>) {
        signal?.throwIfAborted();
        length += piece.length;
        if (length > file.size) throw wrongFile(place, file, `has more than the ${file.size} bytes that are listed`);
        hash.update(piece);
        await handle.writeFile(piece).catch((cause: unknown) => Promise.reject(new StorageError(target, cause)));
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (length < file.size) throw wrongFile(place, file, `ends after ${length} of ${file.size} bytes`);
    if (hash.digest('hex') !== listedHash(file)) {
      throw wrongFile(place, file, 'has another content than its hash says');
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw hubError(repo, error);
  }
}

function wrongFile(place: string, { path }: HubFile, problem: string): InputError {
  return new InputError({ file: place, field: path, problem, remedy: 'Pull again; what is complete is kept' });
}
