import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type CommitOperation, commit, createRepo } from '@huggingface/hub';
import { z } from 'zod';
import { InputError } from '../input-error.ts';
import { joinInside } from '../inside.ts';
import { parseJson } from '../read-json.ts';
import { writeJson } from '../write-file.ts';
import type { HubAccess } from './hub-access.ts';
import {
  askedAs,
  contentOf,
  filesAt,
  findCommit,
  type HubFile,
  type HubRepo,
  hubError,
  isSameContent,
} from './hub-repo.ts';

/** Lists what a push has written, so that the next one removes what it no longer has. */
export const pushedFile = 'dataengine.json';
const pushedSchema = z.looseObject({ files: z.array(z.string()) });
const LARGEST_LIST = 4 * 1024 * 1024;

export interface Push {
  repo: HubRepo;
  /** A folder with the files of the repository, and no others. */
  folder: string;
  /** Of the commit; one line. */
  title: string;
  /** Whether a repository that is made for it can be seen by everybody. */
  isPublic: boolean;
  /** Facts about what is pushed, for `dataengine.json`. */
  facts: object;
}

export interface Pushed {
  /** The commit that has these files now. */
  commit: string;
  /** Files that were written; none where the repository had them all. */
  written: string[];
  removed: string[];
}

const BRANCH = 'main';

/**
 * Writes a folder to a repository of the Hub in one commit, and creates the repository where there is none. Files that are
 * there with the same content are not sent again, and without a difference there is no commit; large files that an
 * interrupted push has sent are not sent again either. Files of others stay.
 *
 * Xet is not used: large files go by Git LFS, which every Hub takes.
 *
 * @throws InputError for a missing token or right, and for a repository that somebody else changes at the same time
 */
export async function pushFolder(hub: HubAccess, push: Push): Promise<Pushed> {
  const { token } = hub;
  const { repo, folder } = push;
  if (token === undefined) {
    const problem = 'a push needs a token';
    throw new InputError({
      file: 'HF_TOKEN',
      problem,
      remedy: 'Set it to a token that may write, or run `hf auth login`',
    });
  }
  const names = await filesIn(folder);
  await writeJson(join(folder, pushedFile), { ...push.facts, files: names });
  names.push(pushedFile);
  const parent = (await findCommit(hub, repo, BRANCH)) ?? (await create(hub, token, push));
  const there = new Map((await filesAt(hub, repo, parent)).map((file) => [file.path, file]));
  const written: string[] = [];
  for (const name of names) {
    const known = there.get(name);
    if (known === undefined || !(await isSameContent(joinInside(folder, name), known))) written.push(name);
  }
  const earlier = await pushedBefore(hub, repo, parent, there.get(pushedFile));
  const removed = earlier.filter((name) => !names.includes(name) && there.has(name));
  if (written.length + removed.length === 0) return { commit: parent, written, removed };
  const operations: CommitOperation[] = [
    ...written.map((path) => ({
      operation: 'addOrUpdate' as const,
      path,
      content: pathToFileURL(joinInside(folder, path)),
    })),
    ...removed.map((path) => ({ operation: 'delete' as const, path })),
  ];
  const made = await commit({
    repo,
    operations,
    title: push.title,
    branch: BRANCH,
    parentCommit: parent,
    useXet: false,
    ...askedAs(hub),
  }).catch((error: unknown) => {
    throw hubError(repo, error);
  });
  if (made === undefined) throw new Error('the Hub has made no commit');
  return { commit: made.commit.oid, written, removed };
}

/** Regular files below a folder, by code units. @throws InputError for anything else, such as a link */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const other = entries.find((entry) => !entry.isFile() && !entry.isDirectory());
  if (other !== undefined) {
    const file = joinInside(other.parentPath, other.name);
    throw new InputError({ file, problem: 'is neither a file nor a folder', remedy: 'Take it out of what is pushed' });
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, joinInside(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((name) => name !== pushedFile)
    .sort();
}

async function create(hub: HubAccess, token: string, { repo, isPublic }: Push): Promise<string> {
  const visibility = isPublic ? 'public' : 'private';
  await createRepo({ repo, visibility, ...askedAs(hub), accessToken: token }).catch((error: unknown) => {
    throw hubError(repo, error);
  });
  const commit = await findCommit(hub, repo, BRANCH);
  if (commit !== undefined) return commit;
  throw new InputError({
    file: `${repo.type} ${repo.name}`,
    problem: 'was made, and can not be seen',
    remedy: 'Check what the token may do',
  });
}

async function pushedBefore(
  hub: HubAccess,
  repo: HubRepo,
  revision: string,
  file: HubFile | undefined,
): Promise<string[]> {
  if (file === undefined || file.size > LARGEST_LIST) return [];
  const text = await (await contentOf(hub, repo, revision, file)).text();
  try {
    return parseJson(text, pushedFile, pushedSchema).files;
  } catch (error) {
    // Somebody else's file of this name.
    if (error instanceof InputError) return [];
    throw error;
  }
}
