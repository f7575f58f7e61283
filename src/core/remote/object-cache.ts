/**
 * Objects that this machine has downloaded, by their content: `<folder>/<sha256>`. Runs and workers share them. When they
 * take more than the limit, the least recently used are removed.
 */
import { randomBytes } from 'node:crypto';
import { chmod, constants, copyFile, link, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { z } from 'zod';
import { hashBytes } from '../hash.ts';
import { InputError } from '../input-error.ts';
import { joinInside } from '../inside.ts';
import { withLock } from '../with-lock.ts';
import { StorageError, writeFileAtomically } from '../write-file.ts';
import type { ObjectStore, TransferOptions } from './object-store.ts';
import { DamagedObject, StoreError } from './store-error.ts';

/** A file in the store. */
export interface StoredContent {
  sha256: string;
  /** Bytes. */
  size: number;
}

export interface ObjectCache {
  /** Puts the object of a key, whose content is known, into a file. */
  download(key: string, content: StoredContent, file: string, options?: TransferOptions): Promise<void>;
}

const limitVariable = 'DATAENGINE_STORE_CACHE_GIGABYTES';
const defaultGigabytes = 100;
/** Smaller objects are downloaded whenever they are needed. */
const smallBytes = 1024 * 1024;
const lockEnding = '.lock';

/** What the cache may take by the environment, in bytes. @throws InputError for what is no number */
export function cacheLimit(environment: Readonly<Record<string, string | undefined>> = process.env): number {
  const given = environment[limitVariable] || String(defaultGigabytes);
  const gigabytes = z.coerce.number().nonnegative().safeParse(given);
  if (gigabytes.success) return gigabytes.data * 1e9;
  throw new InputError({
    file: 'environment',
    field: limitVariable,
    problem: `${given} is no number of gigabytes`,
    remedy: 'Set it to what the cached objects of the store may take on this disk, such as 200',
  });
}

/** @param limitBytes the newest object is never removed, and may be larger */
export function openObjectCache(store: ObjectStore, folder: string, limitBytes = cacheLimit()): ObjectCache {
  return {
    async download(key, content, file, options = {}) {
      if (content.size <= smallBytes) return downloadSmall(store, key, content, file);
      const cached = joinInside(folder, content.sha256, key);
      const downloadOnce = async () => {
        if ((await sizeOf(cached)) === content.size) return;
        await store.download(key, cached, content, options);
        // It is linked into runs: a program that would write into it gets an error.
        await chmod(cached, 0o444 & ~process.umask());
        await removeUnused(folder, limitBytes, content.sha256);
      };
      await withLock(`${cached}${lockEnding}`, downloadOnce, { signal: options.signal });
      await utimes(cached, new Date(), new Date());
      await place(cached, file);
    },
  };
}

async function downloadSmall(store: ObjectStore, key: string, { sha256 }: StoredContent, file: string): Promise<void> {
  for (let tries = 0; tries < 2; tries += 1) {
    const object = await store.read(key);
    if (object === undefined) throw new StoreError(`${store.uri}/${key}: is gone, and a run still needs it`);
    if (hashBytes(object.body) === sha256) return writeFileAtomically(file, object.body);
  }
  throw new DamagedObject(`${store.uri}/${key}: is damaged: its SHA-256 is not ${sha256}. Upload it again`);
}

/** Weights are linked and take no more space: they are only ever replaced as a whole. Other files may be appended to. */
async function place(cached: string, file: string): Promise<void> {
  const temporary = join(dirname(file), `.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await mkdir(dirname(file), { recursive: true });
    const linked = extname(file) === '.safetensors' && (await link(cached, temporary).then(() => true, isNotPossible));
    if (!linked) {
      await copyFile(cached, temporary, constants.COPYFILE_FICLONE);
      await chmod(temporary, 0o644 & ~process.umask());
    }
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new StorageError(file, cause);
  }
}

/** On another disk, or a file system without links. */
function isNotPossible(error: NodeJS.ErrnoException): false {
  if (['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP'].includes(error.code ?? '')) return false;
  throw error;
}

async function removeUnused(folder: string, limitBytes: number, kept: string): Promise<void> {
  const files = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const facts = await stat(join(folder, name)).catch(() => undefined);
      return { name, size: facts?.size ?? 0, usedAt: facts?.mtimeMs ?? 0 };
    }),
  );
  let total = files.reduce((sum, { size }) => sum + size, 0);
  for (const { name, size, usedAt } of files.sort((left, right) => left.usedAt - right.usedAt)) {
    if (total <= limitBytes) return;
    if (name.startsWith(kept) || name.includes(lockEnding) || isUnderWay(name, usedAt)) continue;
    await rm(join(folder, name), { force: true });
    total -= size;
  }
}

/** A download by another worker. One that was interrupted is removed after an hour. */
function isUnderWay(name: string, changedAt: number): boolean {
  return name.includes('.partial') && Date.now() - changedAt < 60 * 60 * 1000;
}

async function sizeOf(file: string): Promise<number | undefined> {
  return (await stat(file).catch(() => undefined))?.size;
}
