/** How much of the machine others take while something is measured, from Linux's own figures (proc_stat(5), proc_pid_stat(5)). */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Above this share of all processors the machine was not idle, and times say little. */
const MOST_OF_OTHERS = 0.1;
const TICKS_PER_SECOND = 100;

/**
 * Starts to look at the machine.
 *
 * @returns what tells, once the programs that this process started have ended, the share of all processors that others took, and
 *   whether the machine was idle but for this; undefined where the system does not report it (not Linux)
 */
export function watchOthers(): () => { share: number; idle: boolean } | undefined {
  if (process.platform !== 'linux') return () => undefined;
  const started = performance.now();
  const before = ticks();
  return () => shareOfOthers(before, ticks(), (performance.now() - started) / 1000, availableParallelism());
}

/** Hundredths of a second of processor time. */
interface Ticks {
  busy: number;
  own: number;
}

const ticks = (): Ticks => ({
  busy: busyTicks(readFileSync('/proc/stat', 'utf8')),
  own: ownTicks(readFileSync('/proc/self/stat', 'utf8')),
});

export function shareOfOthers(before: Ticks, after: Ticks, seconds: number, processors: number) {
  const others = (after.busy - before.busy - (after.own - before.own)) / TICKS_PER_SECOND;
  const share = Math.max(0, others / seconds / processors);
  return { share, idle: share <= MOST_OF_OTHERS };
}

/** Of all processors, by `/proc/stat`: what is neither idle nor waits for a disk. */
export function busyTicks(stat: string): number {
  const [, user, nice, system, , , interrupts, softInterrupts, stolen] = (stat.split('\n', 1)[0] ?? '')
    .split(/\s+/)
    .map(Number);
  return [user, nice, system, interrupts, softInterrupts, stolen].reduce<number>((sum, one) => sum + (one ?? 0), 0);
}

/** Of a process and of those it started that have ended, by its `/proc/<pid>/stat`. */
export function ownTicks(stat: string): number {
  // The name, in brackets, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}
