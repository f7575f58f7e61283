/**
 * A run of the loop on its own processes, some of which are killed.
 */

import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { type Victim, victims } from './at-work.ts';
import { filesIn } from './files-in.ts';
import { type Kill, killAtRandom, type Strike } from './killing.ts';
import { openStack, type Stack, type StackInput, startAndWait } from './stack.ts';

export interface ChaosInput extends StackInput {
  /** Kills, spread over the run; 0 for an undisturbed one. */
  kills: number;
  /** Which are killed. Default: all. */
  among?: readonly Victim[];
  /** Most kills of one victim. Default: one more than its share. */
  each?: number;
  /** How long the undisturbed run takes: the kills are spread over that time. */
  seconds: number;
  onKill?: (kill: Kill) => void;
  /** Instead of killing. */
  strike?: Strike;
  /** What else goes on while the run is under way. @param signal aborted when the run has ended */
  meanwhile?: (stack: Stack, signal: AbortSignal) => Promise<void>;
  /** What is done with the run when it has ended, and its processes have not. */
  afterwards?: (stack: Stack, run: Pick<ChaosRun, 'result' | 'kills'>) => Promise<void>;
}

export interface ChaosRun {
  directory: string;
  result: DataEngineResult;
  kills: Kill[];
  seconds: number;
  /** How often each was started. */
  starts: Record<Victim, number>;
  /** The process groups of all workers, teachers and servers. */
  groups: number[];
  /** Step folders whose work finished more than once. */
  endedTwice: string[];
}

const lookMilliseconds = 250;

/** Runs the loop to its end, whatever is killed, and stops all its processes. */
export async function runWithChaos(input: ChaosInput): Promise<ChaosRun> {
  const { kills: count, seed } = input;
  const stack = await openStack(input);
  const { directory, processes } = stack;
  const ended = new AbortController();
  const steps = watchSteps(directory, ended.signal);
  const { among = victims, each = Math.ceil(count / among.length) + 1, onKill, strike } = input;
  const startedAt = Date.now();
  const killing = killAtRandom({
    ...{ place: stack, among, each, count, startedAt, onKill, strike },
    seed: `${seed}/chaos`,
    // What was killed takes longer.
    seconds: (1.5 * input.seconds) / (count + 1),
    signal: ended.signal,
  });
  try {
    const meanwhile = input.meanwhile?.(stack, ended.signal);
    meanwhile?.catch(() => undefined);
    const result = await startAndWait(stack, {}, ended.signal);
    const seconds = (Date.now() - startedAt) / 1000;
    ended.abort();
    await meanwhile;
    const [kills, endedTwice] = await Promise.all([killing, steps]);
    const starts = { trainer: await trainerStarts(directory) } as Record<Victim, number>;
    for (const victim of victims) if (victim !== 'trainer') starts[victim] = processes[victim].groups().length;
    const groups = stack.groups();
    await input.afterwards?.(stack, { result, kills });
    return { directory, result, kills, seconds, starts, groups, endedTwice };
  } finally {
    ended.abort();
    await killing.catch(() => undefined);
    await stack.stop();
  }
}

/** How many trainers were started, by their logs. */
async function trainerStarts(directory: string): Promise<number> {
  const logs = await filesIn(directory, (name) => name === 'trainer.log');
  const texts = await Promise.all(logs.map((file) => readFile(file, 'utf8')));
  return texts.reduce((sum, text) => sum + (text.match(/^--- \d{4}-/gm)?.length ?? 0), 0);
}

/**
 * Reads the manifests during the run. A step that finished twice had two manifests with different times; between them a
 * worker was started, which takes longer than the time between two reads.
 */
async function watchSteps(directory: string, signal: AbortSignal): Promise<string[]> {
  const seen = new Map<string, Set<string>>();
  const look = async () => {
    for (const file of await filesIn(directory, (name) => name === 'manifest.json')) {
      const text = await readFile(file, 'utf8').catch(() => '');
      if (text === '') continue;
      const { finishedAt } = JSON.parse(text) as { finishedAt: string };
      seen.set(file, (seen.get(file) ?? new Set()).add(finishedAt));
    }
  };
  while (!signal.aborted) {
    await look();
    await sleep(lookMilliseconds, undefined, { signal }).catch(() => undefined);
  }
  await look();
  return [...seen].filter(([, times]) => times.size > 1).map(([file]) => dirname(file));
}
