/**
 * Processes that are stopped in the middle of a step (`SIGSTOP`), and go on (`SIGCONT`) when another one has done it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, readdir, readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { projectFile } from '../../src/core/files.ts';
import { hashBytes } from '../../src/core/hash.ts';
import { rowOf, type StepName } from '../../src/round/steps.ts';
import type { Victim } from './at-work.ts';
import type { Strike } from './killing.ts';
import type { Stack } from './stack.ts';

export interface Zombies {
  points: number;
  /** Of these, those at which the late process was refused in words; the others found the step done. */
  refused: number;
  /** Points at which the run was changed by it, or the step's files are not those of a step left alone. */
  different: string[];
}

interface Place {
  step: StepName;
  round: number;
}

/** Steps of a processor, of the run and of both its rounds: those of a GPU take too long for so many. */
const places: readonly Place[] = [
  { step: 'sample', round: 1 },
  { step: 'refine', round: 1 },
  { step: 'append', round: 1 },
  { step: 'classify', round: 0 },
  { step: 'prepare-data', round: 0 },
];

const lookMilliseconds = 50;
/** For a step by hand that hangs. */
const mostMilliseconds = 10 * 60_000;
/** That the run was taken over, or that another attempt has done the step. */
const refusal = /taken over|took over|another attempt/i;

/**
 * Does steps of a finished run again by hand, stopped at points that are spread over all file operations of each step. The run's
 * folder is as it was in the end.
 */
export async function stopAtPoints(
  stack: Stack,
  { points, onPoint }: { points: number; onPoint?: (what: string) => void },
): Promise<Zombies> {
  const kept = `${stack.directory}.kept`;
  await cp(stack.directory, kept, { recursive: true, preserveTimestamps: true });
  const restore = async () => {
    await rm(stack.directory, { recursive: true, force: true });
    await cp(kept, stack.directory, { recursive: true, preserveTimestamps: true });
  };
  const zombies: Zombies = { points: 0, refused: 0, different: [] };
  try {
    for (const [index, place] of places.entries()) {
      const share = Math.floor(((index + 1) * points) / places.length) - Math.floor((index * points) / places.length);
      const undone = async () => {
        await restore();
        await rm(folderOf(stack, place), { recursive: true, force: true });
      };
      await undone();
      const countFile = `${kept}.count`;
      await endOf(start(stack, place, { DATAENGINE_CHAOS_COUNT: countFile }));
      const wanted = await hashesIn(folderOf(stack, place));
      const operations = Number(await readFile(countFile, 'utf8'));
      for (let number = 0; number < share; number += 1) {
        const at = 1 + Math.floor(((number + 0.5) * operations) / share);
        await undone();
        const end = await stopAt(stack, place, { at, wanted });
        zombies.points += 1;
        if (end.refused) zombies.refused += 1;
        const where = `${place.step} of round ${place.round}, at ${at} of ${operations}`;
        if (end.changed.length > 0) zombies.different.push(`${where}: ${end.changed.join(' ')}`);
        onPoint?.(
          `${where}: ${end.refused ? 'refused in words' : end.said}${end.changed.length > 0 ? `, DIFFERENT: ${end.changed.join(' ')}` : ''}`,
        );
      }
    }
    return zombies;
  } finally {
    await restore();
    await rm(kept, { recursive: true, force: true });
  }
}

function folderOf({ directory }: Stack, { step, round }: Place): string {
  const { of, name } = rowOf(step).folder ?? { of: 'run', name: step };
  return of === 'run' ? join(directory, name) : join(directory, `round-${round}`, name);
}

interface Started {
  child: ChildProcess;
  /** What it has written to standard error. */
  said: () => string;
  ended: Promise<number | null>;
}

/** Starts the command of a step, which takes the run from whoever has it. */
function start(
  { configFile, workflowId, environment, directory }: Stack,
  place: Place,
  more: NodeJS.ProcessEnv = {},
): Started {
  const { step, round } = place;
  const line = [step, '--config', configFile, '--run', workflowId, '--round', String(round), '--takeover'];
  const imports = ['tsx', projectFile('bench/chaos/stop-at.ts')].flatMap((one) => [
    '--import',
    one === 'tsx' ? import.meta.resolve(one) : one,
  ]);
  const child = spawn(process.execPath, [...imports, projectFile('cli/main.ts'), ...line], {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: mostMilliseconds,
    killSignal: 'SIGKILL',
    env: { ...process.env, ...environment, DATAENGINE_CHAOS_FOLDER: directory, ...more },
  });
  let text = '';
  child.stderr?.on('data', (piece: Buffer) => {
    text += piece.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return { child, said: () => text.trim(), ended };
}

/** @throws Error where it fails */
async function endOf({ ended, said }: Started): Promise<void> {
  const code = await ended;
  if (code !== 0) throw new Error(`the step by hand ended with code ${code}: ${said()}`);
}

async function stopAt(
  stack: Stack,
  place: Place,
  { at, wanted }: { at: number; wanted: Map<string, string> },
): Promise<{ refused: boolean; said: string; changed: string[] }> {
  const late = start(stack, place, { DATAENGINE_CHAOS_STOP_AT: String(at) });
  const { pid = 0 } = late.child;
  const hasEnded = late.ended.then(() => true);
  while (!(await isStopped(pid))) {
    if (await Promise.race([hasEnded, sleep(lookMilliseconds).then(() => false)]))
      throw new Error(`${place.step} ended before it was stopped: ${late.said()}`);
  }
  try {
    await endOf(start(stack, place));
    const before = await hashesIn(stack.directory);
    // The stopped process may be writing one, and removes it.
    for (const file of before.keys()) if (file.endsWith('.tmp')) before.delete(file);
    process.kill(pid, 'SIGCONT');
    const code = await late.ended;
    const after = await hashesIn(stack.directory);
    const refused = code !== 0 && refusal.test(late.said());
    const changed = [
      ...differences(before, after),
      ...(await staleOwner(stack)),
      ...differences(wanted, await hashesIn(folderOf(stack, place))).filter((file) => file !== 'manifest.json'),
      ...(code === 0 || refused ? [] : [`code ${code}: ${late.said()}`]),
    ];
    return { refused, said: 'found it done', changed };
  } finally {
    if (late.child.exitCode === null) late.child.kill('SIGKILL');
  }
}

/** Longer than the server waits for a heartbeat of an activity of theirs. */
const stopSeconds: Partial<Record<Victim, number>> = { 'GPU worker': 25, 'CPU worker': 65 };

/** Stops a worker until the server has given its work to another attempt, and lets it go on: then both are at work. */
export const stopForLong: Strike = async (_, { victim, pid }) => {
  if (pid === 0) return false;
  process.kill(pid, 'SIGSTOP');
  await sleep((stopSeconds[victim] ?? 0) * 1000);
  process.kill(pid, 'SIGCONT');
  return true;
};

async function isStopped(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text.slice(text.lastIndexOf(')') + 2).startsWith('T');
}

/** Who owns the run changes with each claim. */
const isOfOwner = (file: string) => /^\.?owner\.json/.test(file) || file.startsWith('owners/');

/** What of the owner is wrong: his copy is that of the newest. */
async function staleOwner({ directory }: Stack): Promise<string[]> {
  const numbers = (await readdir(join(directory, 'owners'))).map((name) => Number.parseInt(name, 10));
  const newest = join(directory, 'owners', `${Math.max(...numbers)}.json`);
  const [copy, own] = await Promise.all([join(directory, 'owner.json'), newest].map((file) => readFile(file, 'utf8')));
  return copy === own ? [] : ['owner.json'];
}

async function hashesIn(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const named = files.map((file) => [relative(folder, file), file] as const).filter(([name]) => !isOfOwner(name));
  return new Map(
    await Promise.all(named.map(async ([name, file]) => [name, hashBytes(await readFile(file))] as const)),
  );
}

function differences(one: Map<string, string>, other: Map<string, string>): string[] {
  return [...new Set([...one.keys(), ...other.keys()])].filter((name) => one.get(name) !== other.get(name));
}
