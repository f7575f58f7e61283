/**
 * Whether a process was killed for lack of main memory, from what Linux tells: its counters of such kills, and what the process and
 * its children held beside what was free when it started. Elsewhere nothing is known.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** Of what was free: with so much, a process that was killed has used up its memory. */
const NEARLY_ALL = 0.9;
const SAMPLE_MILLISECONDS = 500;
/** Where a process finds its control groups; version 1 has a folder for each controller. */
export const CGROUPS = '/sys/fs/cgroup';

/** Bytes. */
export interface MemoryShortage {
  /** The most that was seen to be held. */
  held: number;
  /** When it started; undefined where that is not known. */
  free: number | undefined;
}

export interface MemoryWatch {
  /** To be asked after a kill that nobody here asked for: undefined where it was not for memory. */
  shortage(): Promise<MemoryShortage | undefined>;
  stop(): void;
}

/**
 * Watches a process that has just been started.
 *
 * @param cgroups for tests, another folder in place of `/sys/fs/cgroup`
 */
export function watchMemory(pid: number, cgroups = CGROUPS): MemoryWatch {
  const group = groupOf(cgroups);
  const killsBefore = group.then(killCount);
  const free = group.then(freeBytes);
  let held = 0;
  const sample = async () => {
    held = Math.max(held, await heldBy(pid));
  };
  void sample();
  const timer = setInterval(() => void sample(), SAMPLE_MILLISECONDS);
  timer.unref();
  return {
    async shortage() {
      const [before, after, freeAtStart] = await Promise.all([killsBefore, killCount(await group), free]);
      const isCounted = before !== undefined && after !== undefined && after > before;
      const isNearlyAll = freeAtStart !== undefined && held >= NEARLY_ALL * freeAtStart;
      return isCounted || isNearlyAll ? { held, free: freeAtStart } : undefined;
    },
    stop: () => clearInterval(timer),
  };
}

/** The folder of this process's group, which its children are in too, if there is one with figures of memory. */
async function groupOf(cgroups: string): Promise<string | undefined> {
  const text = (await textOf('/proc/self/cgroup')) ?? '';
  const own = (pattern: RegExp) => pattern.exec(text)?.[1] ?? '/';
  const version1 = path.join(cgroups, 'memory');
  // A container may see its own group as the root.
  const folders = [
    path.join(cgroups, own(/^0::(.+)$/m)),
    cgroups,
    path.join(version1, own(/^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.+)$/m)),
    version1,
  ];
  return folders.find((folder) =>
    ['memory.events', 'memory.oom_control'].some((name) => existsSync(path.join(folder, name))),
  );
}

/** How many processes of the group were killed for lack of memory; of the machine where there is no group. */
async function killCount(group: string | undefined): Promise<number | undefined> {
  const files =
    group === undefined
      ? ['/proc/vmstat']
      : ['memory.events', 'memory.oom_control'].map((name) => path.join(group, name));
  for (const file of files) {
    const count = numberIn(await textOf(file), /^oom_kill (\d+)$/m);
    if (count !== undefined) return count;
  }
  return undefined;
}

/** What a process may still take: of the machine, and of its group. What files are kept in memory is given back on demand. */
async function freeBytes(group: string | undefined): Promise<number | undefined> {
  const available = numberIn(await textOf('/proc/meminfo'), /^MemAvailable:\s+(\d+) kB$/m);
  const ofMachine = available === undefined ? undefined : available * 1024;
  if (group === undefined) return ofMachine;
  const read = async (...names: string[]) => {
    const texts = await Promise.all(names.map((name) => textOf(path.join(group, name))));
    return texts.find((text) => text !== undefined);
  };
  const limit = numberIn(await read('memory.max', 'memory.limit_in_bytes'), /^(\d+)$/m);
  const used = numberIn(await read('memory.current', 'memory.usage_in_bytes'), /^(\d+)$/m);
  const ofFiles = numberIn(await read('memory.stat'), /^(?:file|total_cache) (\d+)$/m) ?? 0;
  if (limit === undefined || used === undefined) return ofMachine;
  return Math.min(limit - used + ofFiles, ofMachine ?? Number.POSITIVE_INFINITY);
}

/** What a process and its children hold that is not in a file. */
async function heldBy(pid: number): Promise<number> {
  const [status, children] = await Promise.all([
    textOf(`/proc/${pid}/status`),
    textOf(`/proc/${pid}/task/${pid}/children`),
  ]);
  const kilobytes = [/^RssAnon:\s+(\d+) kB$/m, /^RssShmem:\s+(\d+) kB$/m].map(
    (pattern) => numberIn(status, pattern) ?? 0,
  );
  const pids = (children ?? '').split(' ').filter((child) => child !== '');
  const ofChildren = await Promise.all(pids.map((child) => heldBy(Number(child))));
  return kilobytes.reduce((sum, value) => sum + value * 1024, 0) + ofChildren.reduce((sum, value) => sum + value, 0);
}

const textOf = (file: string): Promise<string | undefined> => readFile(file, 'utf8').catch(() => undefined);

function numberIn(text: string | undefined, pattern: RegExp): number | undefined {
  const found = pattern.exec(text ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}
