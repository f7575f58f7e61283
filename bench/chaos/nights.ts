/**
 * A run that goes on night after night: what it leaves on the disk, how large its report is, and what its workflows leave on the
 * server.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { connectClient } from '../../cli/temporal-client.ts';
import { openStack, type Stack, type StackInput, startAndWait } from './stack.ts';

/** What there is after a night, and how long that night's histories are. */
export interface Night {
  files: number;
  bytes: number;
  /** Of all files but weights and the report. */
  recordBytes: number;
  reportBytes: number;
  /** Of the night's workflow and its children. */
  events: number;
  historyBytes: number;
}

/** Does a round each night, as a schedule with `"more": 1` does; the first night begins with round 0. */
export async function runNights(
  input: StackInput & { nights: number; onNight?: (night: Night, number: number) => void },
): Promise<Night[]> {
  const stack = await openStack(input);
  try {
    const done: Night[] = [];
    while (done.length < input.nights) {
      const workflowId = `${input.run}-night-${done.length + 1}`;
      const { rounds } = await startAndWait(stack, { more: 1 }, new AbortController().signal, workflowId);
      const night = await measureNight(stack, workflowId, rounds.at(-1)?.round ?? 0);
      done.push(night);
      input.onNight?.(night, done.length);
    }
    return done;
  } finally {
    await stack.stop();
  }
}

async function measureNight({ address, directory }: Stack, workflowId: string, round: number): Promise<Night> {
  const client = await connectClient(address);
  try {
    const own = await historyOf(client, workflowId);
    const child = await historyOf(client, `${workflowId}/round-${round}`);
    const generation = await historyOf(client, `${workflowId}/round-${round}/generation`);
    const all = [own, child, generation];
    const sum = (of: (one: typeof own) => number) => all.reduce((total, one) => total + of(one), 0);
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    const report = join(directory, 'report.html');
    const isRecord = (file: string) => file !== report && !file.endsWith('.safetensors');
    return {
      files: files.length,
      bytes: await sizeOf(files),
      recordBytes: await sizeOf(files.filter(isRecord)),
      reportBytes: await sizeOf([report]),
      events: sum(({ events }) => events),
      historyBytes: sum(({ bytes }) => bytes),
    };
  } finally {
    await client.connection.close();
  }
}

async function sizeOf(files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return sizes.reduce((total, size) => total + size, 0);
}

async function historyOf(client: Client, workflowId: string): Promise<{ events: number; bytes: number }> {
  const { historyLength, historySize } = await client.workflow.getHandle(workflowId).describe();
  return { events: historyLength, bytes: historySize ?? 0 };
}

/** Most that may be added a night, as a share of what there was. */
const flatShare = 0.01;

/**
 * Whether values have stopped growing: from the second quarter of the nights to the last by a hundredth a night at most. Of each
 * quarter the largest counts: a night may keep a model more than the one before it.
 */
export function isFlat(values: readonly number[]): boolean {
  const quarter = Math.floor(values.length / 4);
  const [early, late] = [values.slice(quarter, 2 * quarter), values.slice(-quarter)].map((some) => Math.max(...some));
  const nights = values.length - 2 * quarter;
  return quarter > 0 && early !== undefined && late !== undefined && (late - early) / nights <= flatShare * early;
}
