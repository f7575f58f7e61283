import { setTimeout as sleep } from 'node:timers/promises';
import { type OwnedProcess, startOwned } from '../../demo/command/child-process.ts';
import { signalGroup } from '../../src/core/process-identity.ts';

/** A process that is started again whenever it ends, as systemd or Kubernetes would. */
export interface Supervised {
  name: string;
  /** Of the process that runs now; 0 while none does. */
  pid(): number;
  /** Kills it, `kill -9`; it is restarted after the delay. */
  kill(downMilliseconds: number): void;
  /** The process groups of all its starts. */
  groups(): number[];
  stop(): Promise<void>;
}

const pauseMilliseconds = 500;

/** @param group whether its whole process group is killed with it: a wrapper and the program that it runs */
export function supervise(
  options: Parameters<typeof startOwned>[0],
  { group }: { group: boolean } = { group: false },
): Supervised {
  const stopped = new AbortController();
  let current: OwnedProcess | undefined;
  const groups: number[] = [];
  let pause = pauseMilliseconds;
  const supervision = (async () => {
    while (!stopped.signal.aborted) {
      current = await startOwned(options);
      groups.push(current.pid);
      if (stopped.signal.aborted) break;
      await current.ended;
      current = undefined;
      await sleep(pause, undefined, { signal: stopped.signal }).catch(() => undefined);
      pause = pauseMilliseconds;
    }
  })();
  return {
    name: options.name,
    pid: () => current?.pid ?? 0,
    kill(downMilliseconds) {
      pause = Math.max(pauseMilliseconds, downMilliseconds);
      if (current === undefined || current.pid === 0) return;
      if (group) signalGroup(current.pid, 'SIGKILL');
      else killOne(current.pid);
    },
    groups: () => groups,
    async stop() {
      stopped.abort();
      await current?.stop(20);
      await supervision;
    },
  };
}

/** A process that has ended meanwhile is no error. */
export function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
