/**
 * Others that want a run while its workflow works on it: workflows, and steps by hand.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describeFailure } from '../../cli/failures.ts';
import { connectClient } from '../../cli/temporal-client.ts';
import { projectFile } from '../../src/core/files.ts';
import type { Stack } from './stack.ts';

const run = promisify(execFile);

export interface Owners {
  tried: number;
  /** In words that name who works on the run. */
  refused: number;
  /** What happened instead. */
  surprises: string[];
}

const refusal = /works on this run/;
const lookMilliseconds = 200;

/**
 * Tries to work on a run that has an owner, so often in so many seconds, by workflow and by hand in turn. One that came when the
 * run had ended is not counted.
 */
export async function tryToOwn(
  stack: Stack,
  options: { tries: number; seconds: number; seed: number; signal: AbortSignal },
): Promise<Owners> {
  const owners: Owners = { tried: 0, refused: 0, surprises: [] };
  const { tries, signal } = options;
  while (!existsSync(join(stack.directory, 'owner.json')) && !signal.aborted) await sleep(lookMilliseconds);
  for (let number = 0; number < tries && !signal.aborted; number += 1) {
    const seed = options.seed + 1 + number;
    const said = number % 2 === 0 ? await asWorkflow(stack, number, seed) : await byHand(stack, seed);
    const isRefused = refusal.test(said);
    // What was not refused may have come after the end: the comparison of results finds what it did to the run.
    if (!isRefused && !(await isUnderWay(stack))) break;
    owners.tried += 1;
    if (isRefused) owners.refused += 1;
    else owners.surprises.push(said);
    await sleep((options.seconds / tries) * 1000, undefined, { signal }).catch(() => undefined);
  }
  return owners;
}

async function withClient<R>(
  { address }: Stack,
  work: (client: Awaited<ReturnType<typeof connectClient>>) => Promise<R>,
): Promise<R> {
  const client = await connectClient(address);
  try {
    return await work(client);
  } finally {
    await client.connection.close();
  }
}

const isUnderWay = (stack: Stack) =>
  withClient(stack, async (client) => {
    const { status } = await client.workflow.getHandle(stack.workflowId).describe();
    return status.name === 'RUNNING';
  });

function asWorkflow(stack: Stack, number: number, seed: number): Promise<string> {
  const { workflowId, taskQueue, configFile: config } = stack;
  return withClient(stack, async ({ workflow }) => {
    const args = [{ config, run: workflowId, seed }];
    const other = await workflow.start('dataEngine', { taskQueue, workflowId: `${workflowId}-other-${number}`, args });
    return other.result().then(
      () => 'another workflow did the run',
      (error: unknown) => describeFailure(error).message,
    );
  });
}

/** @returns what it printed */
async function byHand({ configFile, workflowId, environment }: Stack, seed: number): Promise<string> {
  const step = ['prepare-data', '--config', configFile, '--run', workflowId, '--seed', String(seed)];
  const program = ['--import', import.meta.resolve('tsx'), projectFile('cli/main.ts')];
  try {
    await run(process.execPath, [...program, ...step], { env: { ...process.env, ...environment } });
    return 'a step by hand was done';
  } catch (error) {
    return String((error as { stderr?: string }).stderr ?? error);
  }
}
