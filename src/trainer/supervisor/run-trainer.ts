/**
 * Runs one job in a trainer process of its own and passes its messages on. See `protocol.ts`.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { childEnvironment } from '../../core/child-environment.ts';
import { signalGroup } from '../../core/process-identity.ts';
import { type JobOutcome, type JobSpec, jobSpecSchema, parseTrainerLine, type TrainerMessage } from '../protocol.ts';
import { jobFileName, lowerFence, raiseFence, watchFence } from './fence.ts';
import { killedForMemory } from './killed-for-memory.ts';
import { watchMemory } from './memory-watch.ts';
import { type TrainerCommand, typescriptTrainer } from './trainer-command.ts';
import { TrainerError } from './trainer-error.ts';
import { openTrainerLog, type TrainerLog } from './trainer-log.ts';

export interface RunTrainerInput {
  job: JobSpec;
  /**
   * The step's folder: `job.json`, `trainer.log` and the fence are kept there. Created when absent. No other trainer may
   * be running for it (`killPreviousTrainer`).
   */
  directory: string;
  /** The trainer is killed when its step does not advance for this long. */
  stallTimeoutSeconds: number;
  /** Default: `src/trainer/main.ts` run by this Node. */
  command?: TrainerCommand;
  onMessage?: (message: TrainerMessage) => void;
  signal?: AbortSignal;
  /** Between SIGTERM and SIGKILL. Default 10. */
  graceSeconds?: number;
  /** Bytes that the job should take: for the words about a trainer that was killed for lack of memory. */
  plannedMemory?: (() => Promise<number | undefined>) | undefined;
  /** Where the system tells of control groups. Default: `/sys/fs/cgroup`. */
  cgroups?: string;
}

type Trainer = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Starts the trainer on a job, waits for it and returns the outcome in its `done` message.
 * Whatever way it ends, no process of the trainer's group is left.
 *
 * @throws TrainerError when it fails, exits without `done` (quoting its last log lines), stalls, or is killed for lack of
 *   memory (kind `memory`)
 * @throws the signal's reason when aborted
 */
export async function runTrainer(input: RunTrainerInput): Promise<JobOutcome> {
  input.signal?.throwIfAborted();
  const job = jobSpecSchema.parse(input.job);
  await mkdir(input.directory, { recursive: true });
  const jobFile = join(input.directory, jobFileName);
  await writeFile(jobFile, `${JSON.stringify(job, null, 2)}\n`);

  const log = openTrainerLog(input.directory);
  log.write(`--- ${new Date().toISOString()} ${job.kind}`);
  try {
    input.signal?.throwIfAborted();
    const trainer = startTrainer(input.command ?? typescriptTrainer(), jobFile);
    return await superviseTrainer(trainer, log, input);
  } finally {
    await log.close();
  }
}

function startTrainer(command: TrainerCommand, jobFile: string): Trainer {
  return spawn(command.program, [...command.arguments, jobFile], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: childEnvironment(command.environment),
  });
}

async function superviseTrainer(trainer: Trainer, log: TrainerLog, input: RunTrainerInput): Promise<JobOutcome> {
  const { directory, signal, stallTimeoutSeconds, graceSeconds = 10 } = input;
  let result: JobOutcome | undefined;
  let failure: TrainerError | undefined;
  let furthestStep = -1;
  let phase: string | undefined;
  let running = true;
  let graceTimer: NodeJS.Timeout | undefined;
  let stallTimer: NodeJS.Timeout | undefined;
  let stopWatching: () => void = () => undefined;
  const memory = trainer.pid === undefined ? undefined : watchMemory(trainer.pid, input.cgroups);

  const kill = () => killGroup(trainer, 'SIGKILL');
  const stopSoon = () => {
    graceTimer ??= setTimeout(kill, graceSeconds * 1000);
  };
  const stop = () => {
    killGroup(trainer, 'SIGTERM');
    stopSoon();
  };
  const restartStallTimer = () => {
    clearTimeout(stallTimer);
    stallTimer = setTimeout(() => {
      failure ??= stalled(furthestStep, stallTimeoutSeconds, log);
      kill();
    }, stallTimeoutSeconds * 1000);
  };

  const onTakenOver = () => {
    failure ??= takenOver(directory);
    kill();
  };

  const onMessage = (message: TrainerMessage) => {
    if (message.type === 'progress') {
      const advanced = message.phase !== phase || message.step > furthestStep;
      if (advanced) {
        restartStallTimer();
        furthestStep = message.step;
        phase = message.phase;
      }
    } else {
      restartStallTimer();
    }
    if (message.type === 'done') result = { outputs: message.outputs, metrics: message.metrics };
    if (message.type === 'failed') failure ??= new TrainerError(message);
    if (message.type === 'done' || message.type === 'failed') stopSoon();
    input.onMessage?.(message);
  };

  const exited = waitForExit(trainer);
  const read = Promise.all([readLines(trainer.stdout, log, onMessage), readLines(trainer.stderr, log)]);
  trainer.stdin.on('error', () => undefined);
  signal?.addEventListener('abort', stop, { once: true });
  restartStallTimer();
  try {
    if (trainer.pid !== undefined) {
      await raiseFence(directory, trainer.pid);
      stopWatching = watchFence(directory, trainer.pid, onTakenOver);
    }
    if (signal?.aborted) stop();
    const exit = await exited;
    // Helpers that outlive their leader would hold the output pipes, and the GPU.
    kill();
    running = false;
    await read;
    stopWatching();
    if (trainer.pid !== undefined) await lowerFence(directory, trainer.pid);
    if (result !== undefined && failure === undefined) return result;
    signal?.throwIfAborted();
    if (failure === undefined && isKilled(exit)) {
      const shortage = await memory?.shortage();
      if (shortage) failure = killedForMemory(shortage, await input.plannedMemory?.().catch(() => undefined));
    }
    throw failure ?? crashed(exit, log);
  } finally {
    stopWatching();
    memory?.stop();
    clearTimeout(stallTimer);
    clearTimeout(graceTimer);
    signal?.removeEventListener('abort', stop);
    if (running) kill();
  }
}

function killGroup(trainer: Trainer, signal: NodeJS.Signals): void {
  if (trainer.pid !== undefined) signalGroup(trainer.pid, signal);
}

type Exit = { code: number | null; signal: NodeJS.Signals | null; error?: Error };

/** By a signal that was not sent here. A launcher says of its children by its code that they were, as shells do. */
const isKilled = ({ code, signal }: Exit) => signal === 'SIGKILL' || code === KILLED_CODE;
const KILLED_CODE = 137;

function waitForExit(trainer: Trainer): Promise<Exit> {
  return new Promise((resolve) => {
    trainer.once('error', (error) => resolve({ code: null, signal: null, error }));
    trainer.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

async function readLines(
  stream: Readable,
  log: TrainerLog,
  onMessage?: (message: TrainerMessage) => void,
): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    const message = onMessage === undefined ? undefined : parseTrainerLine(line);
    if (message === undefined || message.type === 'failed') log.write(line);
    if (message !== undefined) onMessage?.(message);
  }
}

function crashed(exit: Exit, log: TrainerLog): TrainerError {
  const how = exit.error
    ? `could not be started: ${exit.error.message}`
    : exit.signal
      ? `was ended by ${exit.signal}`
      : `exited with code ${exit.code}`;
  const message = `the trainer ${how} before it was done; last lines of ${log.file}:\n${log.lastLines()}`;
  return new TrainerError({ kind: 'crashed', retryable: true, message });
}

function takenOver(directory: string): TrainerError {
  const message = `another attempt started in ${directory}, so this one's trainer was killed`;
  return new TrainerError({ kind: 'internal', retryable: true, message });
}

function stalled(step: number, seconds: number, log: TrainerLog): TrainerError {
  const where = step < 0 ? 'before its first step' : `after step ${step}`;
  const message = `the trainer made no progress for ${seconds} s ${where} and was killed; last lines of ${log.file}:\n${log.lastLines()}`;
  return new TrainerError({ kind: 'stalled', retryable: true, message });
}
