/**
 * One trainer a folder. A worker killed with `kill -9` cannot stop its trainer, and the next attempt would
 * write beside it; so each attempt leaves its trainer's identity in the folder and the next one kills it first.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { processStartTime, signalGroup } from './process-identity.ts';
import { TrainerError } from './trainer-error.ts';

const fenceSchema = z.object({ host: z.string(), pid: z.number().int().positive(), startTime: z.string() });
const fenceFile = (directory: string) => join(directory, 'trainer.pid.json');
const killPatienceMilliseconds = 10_000;

/**
 * Makes sure that no earlier trainer of this folder still runs on this host, killing its process group if one does.
 * Returns the pid that was killed, if any.
 *
 * @throws TrainerError (retryable) when it cannot be killed
 */
export async function killFormerTrainer(directory: string): Promise<number | undefined> {
  const former = await readFence(directory);
  if (former === undefined || former.host !== hostname()) return undefined;
  if ((await processStartTime(former.pid)) !== former.startTime) return undefined;
  signalGroup(former.pid, 'SIGKILL');
  const deadline = Date.now() + killPatienceMilliseconds;
  while ((await processStartTime(former.pid)) === former.startTime) {
    if (Date.now() > deadline) {
      throw new TrainerError({
        kind: 'internal',
        retryable: true,
        message: `an earlier trainer (pid ${former.pid}) still writes to ${directory} and could not be killed`,
      });
    }
    await sleep(20);
  }
  return former.pid;
}

/** Records the trainer that now owns the folder. */
export async function raiseFence(directory: string, pid: number): Promise<void> {
  const startTime = await processStartTime(pid);
  if (startTime === undefined) return;
  await writeFile(fenceFile(directory), JSON.stringify({ host: hostname(), pid, startTime }));
}

/** Removes the record of a trainer that is known to be gone. */
export async function lowerFence(directory: string): Promise<void> {
  await rm(fenceFile(directory), { force: true });
}

async function readFence(directory: string): Promise<z.output<typeof fenceSchema> | undefined> {
  try {
    return fenceSchema.parse(JSON.parse(await readFile(fenceFile(directory), 'utf8')));
  } catch {
    // Absent, or cut short because its writer was killed: that trainer notices its closed standard input.
    return undefined;
  }
}
