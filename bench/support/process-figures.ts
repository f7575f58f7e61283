/**
 * The logs, memory and processor time of running processes.
 */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { processesInGroup } from './processes.ts';

/** Waits for a match in a program's log, such as that it is ready. @returns its first group */
export async function firstMatch(logFile: string, pattern: RegExp): Promise<string> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const found = pattern.exec(await readFile(logFile, 'utf8').catch(() => ''))?.[1];
    if (found !== undefined) return found;
    await sleep(100);
  }
  throw new Error(`not ready after a minute; see ${logFile}`);
}

/** MiB that a process holds, and the most it has held, from Linux's own figures; 0 for a process that has ended. */
export async function memoryOf(pid: number): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const mebibytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024;
  return { now: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
}

const ticksPerSecond = 100;

/** Seconds of processor time by process group, from Linux's own figures (proc_pid_stat(5)). */
export async function processorTimeOfGroups(): Promise<Map<number, number>> {
  const groups = new Map<number, number>();
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    // The name, in brackets, may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [group, user, system] = [fields[2], fields[11], fields[12]].map(Number);
    if (group && user !== undefined && system !== undefined) {
      groups.set(group, (groups.get(group) ?? 0) + (user + system) / ticksPerSecond);
    }
  }
  return groups;
}

/** MiB that all processes of a group hold together, and the sum of the most that each has held. */
export async function memoryOfGroup(group: number): Promise<{ now: number; peak: number }> {
  const held = await Promise.all((await processesInGroup(group)).map(memoryOf));
  return {
    now: held.reduce((sum, { now }) => sum + now, 0),
    peak: held.reduce((sum, { peak }) => sum + peak, 0),
  };
}
