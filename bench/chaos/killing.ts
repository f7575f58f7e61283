/**
 * Kills processes of a run at random moments, each while it is busy.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { processStartTime } from '../../src/core/process-identity.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { type AtWork, atWork, type Place, type Victim } from './at-work.ts';
import { killOne } from './supervised.ts';

/** A kill that was done. */
export interface Kill extends AtWork {
  /** Seconds since the run started. */
  at: number;
}

export interface Killing {
  place: Place;
  count: number;
  among: readonly Victim[];
  /** Most kills of one victim. */
  each: number;
  seed: string;
  /** Between two kills, on average. */
  seconds: number;
  startedAt: number;
  /** Aborted when the run has ended. */
  signal: AbortSignal;
  onKill?: ((kill: Kill) => void) | undefined;
  /** What is done to a process. Default: it is killed. */
  strike?: Strike | undefined;
}

/**
 * @param downMilliseconds how long a killed process stays down
 * @returns whether the process ran
 */
export type Strike = (place: Place, at: AtWork, downMilliseconds: number) => Promise<boolean>;

const lookMilliseconds = 250;
/** The kills are spread over the whole run. */
const mostAtSameWork = 3;
const endPatienceMilliseconds = 10_000;

/**
 * Kills until there are as many kills as requested, or the run has ended. The moments, the choice among busy processes and
 * how long a victim stays down are drawn from the seed; no victim gets two kills ahead of another busy one.
 *
 * @throws Error when a process survives its kill
 */
export async function killAtRandom(input: Killing): Promise<Kill[]> {
  const { place, count, among, each, seconds, startedAt, signal, onKill, strike = kill } = input;
  const random = seededRandom(input.seed);
  const done: Kill[] = [];
  const killsOf = (victim: Victim) => done.filter((kill) => kill.victim === victim).length;
  while (done.length < count && !signal.aborted) {
    await sleep((0.3 + 1.4 * random.uniform()) * seconds * 1000, undefined, { signal }).catch(() => undefined);
    const down = random.uniform() * 2000;
    const draw = random.uniform();
    while (!signal.aborted) {
      const found = (await atWork(place)).filter(
        ({ victim, work }) =>
          among.includes(victim) &&
          killsOf(victim) < each &&
          done.filter((kill) => kill.victim === victim && kill.work === work).length < mostAtSameWork,
      );
      const fewest = Math.min(...found.map(({ victim }) => killsOf(victim)));
      const choice = found.filter(({ victim }) => killsOf(victim) <= fewest + 1);
      const chosen = choice[Math.floor(draw * choice.length)];
      // It may have ended since.
      if (chosen !== undefined && !signal.aborted && (await strike(place, chosen, down))) {
        const record = { ...chosen, at: (Date.now() - startedAt) / 1000 };
        done.push(record);
        onKill?.(record);
        break;
      }
      await sleep(lookMilliseconds);
    }
  }
  return done;
}

/** @returns whether the process ran, and is gone now */
async function kill({ processes }: Place, { victim, pid }: AtWork, downMilliseconds: number): Promise<boolean> {
  const startTime = pid === 0 ? undefined : await processStartTime(pid);
  if (startTime === undefined) return false;
  if (victim === 'trainer') killOne(pid);
  else if (processes[victim].pid() === pid) processes[victim].kill(downMilliseconds);
  else return false;
  const deadline = Date.now() + endPatienceMilliseconds;
  while ((await processStartTime(pid)) === startTime) {
    if (Date.now() > deadline) throw new Error(`the ${victim} (pid ${pid}) survived kill -9`);
    await sleep(20);
  }
  return true;
}
