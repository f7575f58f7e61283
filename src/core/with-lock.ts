/**
 * Locks between processes: a file beside what is locked, which names its owner by host, process and when that process
 * started. Whoever may not write there can't hold the lock.
 */
import { randomUUID } from 'node:crypto';
import { link, lstat, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { makeFolder } from './files.ts';
import { processStartTime } from './process-identity.ts';

const retryMilliseconds = 200;
const touchMilliseconds = 5000;
const longestRecord = 4096;

const ownerSchema = z.object({ host: z.string(), pid: z.int().positive(), startTime: z.string(), id: z.string() });
type Owner = z.output<typeof ownerSchema>;

export interface LockOptions {
  signal?: AbortSignal | undefined;
  /** A lock whose owner can't be looked up, on another host say, is taken over when untouched for so long. Default: 60. */
  abandonedAfterSeconds?: number;
  /** Called once, when another process has the lock: with its id, where the lock names it. */
  onWait?: ((pid: number | undefined) => void) | undefined;
}

/**
 * Runs the work while no other process runs work under the same lock file. A lock whose process has ended, however that
 * happened, is taken over. Where no lock file can be made, as on a read-only disk, nothing is locked: the work must be
 * correct without the lock.
 *
 * @param file is there as long as the lock is held; missing folders are created
 * @throws the signal's reason while it waits; what the work throws
 */
export async function withLock<R>(file: string, work: () => Promise<R>, options: LockOptions = {}): Promise<R> {
  const owner = await acquire(file, options);
  if (owner === undefined) return work();
  const touching = setInterval(() => void touch(file), touchMilliseconds).unref();
  try {
    return await work();
  } finally {
    clearInterval(touching);
    // Another host may have taken it over meanwhile.
    if ((await readOwner(file))?.id === owner.id) await rm(file, { force: true });
  }
}

async function acquire(
  file: string,
  { signal, abandonedAfterSeconds = 60, onWait }: LockOptions,
): Promise<Owner | undefined> {
  const startTime = await processStartTime(process.pid);
  if (startTime === undefined) return undefined;
  const owner = { host: hostname(), pid: process.pid, startTime, id: randomUUID() };
  const breaking = `${file}.breaking`;
  const [isAbandoned, isBreakingAbandoned] = [file, breaking].map((one) =>
    watch(one, abandonedAfterSeconds * 1000),
  ) as [Watch, Watch];
  let isToldOf = false;
  for (;;) {
    signal?.throwIfAborted();
    const taken = await take(file, owner);
    if (taken === 'taken') return owner;
    if (taken === 'impossible') return undefined;
    if (!(await isAbandoned())) {
      if (!isToldOf) onWait?.((await readOwner(file))?.pid);
      isToldOf = true;
      await pause(signal);
    }
    // One process at a time removes a lock, and looks again before: it could be one that another has just taken.
    else if ((await take(breaking, owner)) === 'taken') {
      if (await isAbandoned()) await rm(file, { force: true, recursive: true });
      await rm(breaking, { force: true });
    } else {
      if (await isBreakingAbandoned()) await rm(breaking, { force: true, recursive: true });
      await pause(signal);
    }
  }
}

/** Ends early when the signal is aborted, which is then noticed. */
async function pause(signal: AbortSignal | undefined): Promise<void> {
  await sleep(retryMilliseconds, undefined, { signal }).catch(() => undefined);
}

/** The lock appears with its owner already in it: a hard link is made whole or not at all. */
async function take(file: string, owner: Owner): Promise<'taken' | 'held' | 'impossible'> {
  const own = `${file}.${randomUUID()}`;
  try {
    await makeFolder(dirname(file));
    await writeFile(own, JSON.stringify(owner), { flag: 'wx' });
    return await link(own, file).then(() => 'taken' as const, isHeld);
  } catch {
    return 'impossible';
  } finally {
    await rm(own, { force: true }).catch(() => undefined);
  }
}

function isHeld(error: NodeJS.ErrnoException): 'held' {
  if (error.code === 'EEXIST') return 'held';
  throw error;
}

type Watch = () => Promise<boolean>;

/**
 * Whether a lock is abandoned: its process is gone, or it has not been touched while we watched. That is by our own clock,
 * not by the time of day, which may be set meanwhile and differs between hosts.
 */
function watch(file: string, untouchedMilliseconds: number): Watch {
  let seen: { touchedAt: number; since: number } | undefined;
  return async () => {
    const facts = await lstat(file).catch(() => undefined);
    if (facts === undefined) return false;
    const owner = await readOwner(file);
    if (owner?.host === hostname()) return (await processStartTime(owner.pid)) !== owner.startTime;
    if (seen?.touchedAt !== facts.mtimeMs) seen = { touchedAt: facts.mtimeMs, since: performance.now() };
    return performance.now() - seen.since > untouchedMilliseconds;
  };
}

/** @returns undefined for what no process has written as a lock */
async function readOwner(file: string): Promise<Owner | undefined> {
  try {
    const facts = await lstat(file);
    // Reading a pipe would never end.
    if (!facts.isFile() || facts.size > longestRecord) return undefined;
    return ownerSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
}

async function touch(file: string): Promise<void> {
  // When somebody removed the lock by hand, there is nothing to keep fresh.
  await utimes(file, new Date(), new Date()).catch(() => undefined);
}
