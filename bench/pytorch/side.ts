/** One side of a benchmark: a program that answers each JSON line with a JSON line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export interface Timing {
  /** Wall-clock seconds of the work alone, measured by the side itself. */
  seconds: number;
  /** Seconds of processor time, of all its threads. */
  cpuSeconds: number;
}

export interface Side {
  /** What the program says it is. */
  name: string;
  ask<Answer>(request: unknown): Promise<Answer & Timing>;
  /** Resets the peak memory to what is used now. */
  resetPeak(): void;
  /** Largest resident memory in MiB, of the whole process; undefined where the system does not report it (not Linux). */
  peakMegabytes(): number | undefined;
  close(): void;
}

/**
 * Starts a side and waits until it is ready.
 *
 * @throws Error with what the program wrote, if it ends before that
 */
export async function startSide(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Side> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let errorOutput = '';
  child.stderr.on('data', (data) => {
    errorOutput = `${errorOutput}${data}`.slice(-4000);
  });
  const failed = new Promise<never>((_, reject) => {
    child.on('error', reject);
    child.on('close', (code) => reject(new Error(`${command} ${args[0]} ended with ${code}:\n${errorOutput}`)));
  });
  failed.catch(() => {});
  const answer = async () => {
    const line = await Promise.race([lines.next(), failed]);
    if (line.done) return failed;
    return JSON.parse(line.value);
  };
  const { ready } = (await answer()) as { ready: string };
  return {
    name: ready,
    ask: async (request) => {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return answer();
    },
    resetPeak: () => resetPeak(child),
    peakMegabytes: () => peakMegabytes(child),
    close: () => {
      child.stdin.end();
      child.kill();
    },
  };
}

// Linux: proc_pid_clear_refs(5), 5 sets the peak to what is resident now.
function resetPeak({ pid }: ChildProcess): void {
  if (process.platform === 'linux') writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function peakMegabytes({ pid }: ChildProcess): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(peak) / 1024;
}
