/**
 * Programs that run as child processes of ours.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { signalGroup } from '../../src/core/process-identity.ts';

export interface OwnedProcess {
  name: string;
  logFile: string;
  pid: number;
  /** Resolves when it ends, with a description of how. */
  ended: Promise<string>;
  /** SIGTERM, then SIGKILL to its group after the grace period. */
  stop(graceSeconds?: number): Promise<void>;
}

/** A program of ours has ended before its work, by its own fault or a signal: the message names its log. */
export class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded';

  constructor({ name, logFile }: { name: string; logFile: string }, how: string) {
    super(`the ${name} ${how}; see ${logFile}`);
  }
}

/**
 * Starts a program in a process group of its own, so that Ctrl-C reaches only this process, which stops it in
 * order. Its output goes to the log file. Its standard input is a pipe that closes when this process ends.
 */
export async function startOwned(input: {
  name: string;
  program: string;
  arguments: string[];
  logFile: string;
  environment?: Record<string, string>;
}): Promise<OwnedProcess> {
  const log = await open(input.logFile, 'a');
  const child = spawn(input.program, input.arguments, {
    detached: true,
    stdio: ['pipe', log.fd, log.fd],
    env: { ...process.env, ...input.environment },
  });
  child.stdin?.on('error', () => undefined);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `exited with code ${code}` : `was ended by ${signal}`),
    );
  });
  void ended.finally(() => log.close());
  return {
    name: input.name,
    logFile: input.logFile,
    pid: child.pid ?? 0,
    ended,
    stop: (grace) => stopGroup(child, ended, grace),
  };
}

async function stopGroup(child: ChildProcess, ended: Promise<string>, graceSeconds = 30): Promise<void> {
  if (child.pid === undefined) return;
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  const timeout = new AbortController();
  await Promise.race([ended, sleep(graceSeconds * 1000, undefined, { signal: timeout.signal }).catch(() => undefined)]);
  timeout.abort();
  signalGroup(child.pid, 'SIGKILL');
  await ended;
}

/**
 * Wraps a program that does not watch its standard input, so that it ends when this process ends, even by `kill -9`:
 * a shell waits for the pipe to close and then stops it.
 */
export function endingWithUs(program: string, programArguments: string[]): { program: string; arguments: string[] } {
  const script =
    'exec 3<&0; "$@" 3<&- </dev/null & child=$!; trap "kill $child" TERM; (cat <&3 >/dev/null; kill $child) 2>/dev/null & wait $child; wait $child 2>/dev/null';
  return { program: 'sh', arguments: ['-c', script, 'sh', program, ...programArguments] };
}
