/** A repository on the Hub: its commit, its files, and what its errors mean. */
import { createHash, type Hash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { datasetInfo, downloadFile, HubApiError, listFiles, modelInfo } from '@huggingface/hub';
import { InputError } from '../input-error.ts';
import { piecesOf } from '../regular-file.ts';
import type { HubAccess } from './hub-access.ts';

export interface HubRepo {
  type: 'model' | 'dataset';
  /** `owner/name` */
  name: string;
}

/** A file as the Hub lists it. */
export interface HubFile {
  path: string;
  /** Bytes. */
  size: number;
  /** SHA-256 of a large file; of others Git's hash of the content. */
  hash: { sha256: string } | { gitSha1: string };
}

const MOST_FILES = 20_000;

/** @throws InputError for a name that is not `owner/name` */
export function requireRepoName(name: string): string {
  const part = '[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?';
  if (new RegExp(`^${part}/${part}$`).test(name) && !/\.\.|--|\.git$/.test(name)) return name;
  throw new InputError({
    file: name.slice(0, 200),
    problem: 'is no repository of the Hub',
    remedy: 'Write owner/name',
  });
}

/** What a function of `@huggingface/hub` needs of the Hub. */
export function askedAs({ endpoint, token, fetch }: HubAccess) {
  return { hubUrl: endpoint, fetch, ...(token !== undefined && { accessToken: token }) };
}

/**
 * The commit that a branch, a tag or a commit is.
 *
 * @returns undefined for a repository or a revision that is not there, or that may not be seen
 */
export async function findCommit(hub: HubAccess, repo: HubRepo, revision: string): Promise<string | undefined> {
  const { name } = repo;
  const params = { name, revision, additionalFields: ['sha'] as 'sha'[], ...askedAs(hub) };
  const info = await (repo.type === 'model' ? modelInfo(params) : datasetInfo(params)).catch((error: unknown) => {
    // The Hub answers 401 for what is not there, too, where no token says who asks.
    if (error instanceof HubApiError && (error.statusCode === 404 || (error.statusCode === 401 && !hub.token))) {
      return undefined;
    }
    throw hubError(repo, error);
  });
  if (info === undefined) return undefined;
  const { sha } = info as { sha?: unknown };
  if (typeof sha === 'string' && /^[0-9a-f]{40}$/.test(sha)) return sha;
  throw unexpected(repo, 'names no commit');
}

/**
 * All files at a commit.
 *
 * @throws InputError for more than 20,000 of them, or a file without a hash
 */
export async function filesAt(hub: HubAccess, repo: HubRepo, commit: string): Promise<HubFile[]> {
  const files: HubFile[] = [];
  try {
    for await (const entry of listFiles({ repo, revision: commit, recursive: true, ...askedAs(hub) })) {
      if (entry.type !== 'file') continue;
      if (files.length === MOST_FILES) throw unexpected(repo, `has more than ${MOST_FILES} files`);
      files.push(fileOf(repo, entry));
    }
  } catch (error) {
    throw hubError(repo, error);
  }
  return files;
}

function fileOf(
  repo: HubRepo,
  { path, size, oid, lfs }: { path: string; size: number; oid?: string; lfs?: { oid: string; size: number } },
): HubFile {
  const bytes = lfs?.size ?? size;
  // Half a surrogate pair is in no address.
  const isPath = typeof path === 'string' && Buffer.from(path).toString() === path;
  const isSize = isPath && Number.isSafeInteger(bytes) && bytes >= 0;
  const sha256 = lfs?.oid;
  if (isSize && sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256)) return { path, size: bytes, hash: { sha256 } };
  if (isSize && lfs === undefined && oid !== undefined && /^[0-9a-f]{40}$/.test(oid)) {
    return { path, size: bytes, hash: { gitSha1: oid } };
  }
  throw unexpected(repo, `lists ${JSON.stringify(String(path).slice(0, 200))} without a path, a size and a hash`);
}

/** The content of a file at a commit, as a stream; Xet is not used. @throws InputError when it is not there */
export async function contentOf(hub: HubAccess, repo: HubRepo, revision: string, file: HubFile): Promise<Blob> {
  const path = file.path.split('/').map(encodeURIComponent).join('/');
  const folder = repo.type === 'model' ? '' : `${repo.type}s/`;
  const downloadInfo = {
    size: file.size,
    etag: listedHash(file),
    url: `${hub.endpoint}/${folder}${repo.name}/resolve/${revision}/${path}`,
  };
  const content = await downloadFile({ repo, revision, path, downloadInfo, xet: false, ...askedAs(hub) });
  if (content !== null) return content;
  throw unexpected(repo, `lists ${file.path}, and does not have it`);
}

/** Whether a file of this disk has the content of one of the Hub. */
export async function isSameContent(file: string, listed: HubFile): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || !found.isFile() || found.size !== listed.size) return false;
  const hash = startListedHash(listed);
  for await (const piece of piecesOf(file)) hash.update(piece);
  return hash.digest('hex') === listedHash(listed);
}

/** The hash by which the Hub lists a file, in hexadecimal. */
export function listedHash({ hash }: HubFile): string {
  return 'sha256' in hash ? hash.sha256 : hash.gitSha1;
}

/** Computes that hash from the file's content. */
export function startListedHash({ size, hash }: HubFile): Hash {
  return 'sha256' in hash ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}

/** What a person can do about an error of the Hub; others are passed on. */
export function hubError({ type, name }: HubRepo, error: unknown): unknown {
  const place = `${type} ${name}`;
  if (error instanceof TypeError && error.cause instanceof Error) {
    const { code = error.cause.message } = error.cause as NodeJS.ErrnoException;
    const remedy = 'Check the address of the Hub (HF_ENDPOINT) and the network';
    return new InputError({ file: place, problem: `the Hub can not be reached: ${code}`, remedy }, { cause: error });
  }
  if (error instanceof SyntaxError || error instanceof TypeError) {
    // `@huggingface/hub` takes answers as they come.
    const remedy = 'Check the address of the Hub (HF_ENDPOINT)';
    return new InputError(
      { file: place, problem: 'the Hub answers something else than a Hub does', remedy },
      { cause: error },
    );
  }
  if (typeof error === 'string') {
    // As it ends the stream of a file.
    const problem = `the Hub does not give the file: ${error.split('\n')[0]?.slice(0, 200)}`;
    return new InputError({ file: place, problem, remedy: 'Try again later' });
  }
  if (!(error instanceof HubApiError)) return error;
  const { statusCode, message } = error;
  if (statusCode === 401 || statusCode === 403) {
    const remedy = 'Set HF_TOKEN to a token that may do this, or ask for access on the page of the repository';
    return new InputError({ file: place, problem: `the Hub refuses access (${statusCode})`, remedy }, { cause: error });
  }
  if (statusCode === 404) {
    return new InputError(
      { file: place, problem: 'is not on the Hub', remedy: 'Check the name, the type and the revision' },
      { cause: error },
    );
  }
  if (statusCode === 409 || statusCode === 412) {
    return new InputError(
      { file: place, problem: 'was changed by somebody else meanwhile', remedy: 'Look at it, and push again' },
      { cause: error },
    );
  }
  const [first = ''] = message.split('\n');
  return new InputError(
    { file: place, problem: `the Hub answers ${statusCode}: ${first.slice(0, 200)}`, remedy: 'Try again later' },
    { cause: error },
  );
}

function unexpected({ type, name }: HubRepo, problem: string): InputError {
  return new InputError({ file: `${type} ${name}`, problem, remedy: 'This program can not work with it' });
}
