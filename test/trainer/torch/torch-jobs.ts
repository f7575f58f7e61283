/** Jobs for the trainer on PyTorch, where it is set up. */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { runningWith } from '../../../bench/support/processes.ts';
import { pythonOfSetup } from '../../../src/core/setup-file.ts';
import type { JobOutcome, JobSpec, TrainerMessage } from '../../../src/trainer/protocol.ts';
import { runTrainer } from '../../../src/trainer/supervisor/run-trainer.ts';
import { type Sharding, type TorchSettings, torchTrainer } from '../../../src/trainer/supervisor/trainer-command.ts';
import { withFamily } from '../../../src/trainer/supervisor/trainer-step.ts';

/** Each job starts Python anew, which takes long where the machine is busy. */
export const TORCH_TIMEOUTS = { testTimeout: 1_200_000, hookTimeout: 1_200_000 };

export const torchIsSetUp = await torchTrainer({ processes: 1 }).then(
  () => true,
  () => false,
);
if (!torchIsSetUp)
  console.log('The trainer torchrun is not set up (`dataengine setup --torch`): its tests are skipped');

const deepspeedIsSetUp =
  torchIsSetUp &&
  (await promisify(execFile)(await pythonOfSetup('torch'), [
    '-c',
    'import importlib.metadata as m; m.version("deepspeed")',
  ]).then(
    () => true,
    () => false,
  ));
if (torchIsSetUp && !deepspeedIsSetUp)
  console.log('DeepSpeed is not set up (`dataengine setup --deepspeed`): its tests are skipped');

/** Whether jobs can be run with weights kept so. */
export function isSetUp(sharding: Sharding | undefined): boolean {
  return sharding === 'deepspeed' ? deepspeedIsSetUp : torchIsSetUp;
}

/**
 * Runs a job under torchrun.
 *
 * @param options.processes default 2
 */
export async function runTorch(
  job: JobSpec,
  directory: string,
  {
    processes = 2,
    sharding,
    ...options
  }: Partial<TorchSettings> & { onMessage?: (message: TrainerMessage) => void; signal?: AbortSignal } = {},
): Promise<JobOutcome> {
  const command = await torchTrainer({ processes, sharding });
  return runTrainer({
    job: await withFamily(job),
    directory,
    command,
    stallTimeoutSeconds: 90,
    graceSeconds: 60,
    ...options,
  });
}

/** Runs a Python script of this folder in the trainer's environment, and returns what it prints. */
export async function torchPython(script: string, ...given: string[]): Promise<string> {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const { stdout } = await promisify(execFile)(await pythonOfSetup('torch'), [file, ...given]);
  return stdout;
}

/**
 * Runs a finetune until its first checkpoint, kills a process of it then, and sees that none is left.
 *
 * @param which of the ranks and those that prepare images for them, by age; default the last
 */
export async function killLastRank(
  job: JobSpec,
  directory: string,
  settings: Partial<TorchSettings> = {},
  which = -1,
): Promise<void> {
  let shot = false;
  const attempt = runTorch(job, directory, {
    ...settings,
    onMessage: (message) => {
      if (message.type !== 'checkpoint' || shot) return;
      shot = true;
      void ranksIn(directory).then((ranks) => process.kill(ranks.at(which) as number, 'SIGKILL'));
    },
  });
  await expect(attempt).rejects.toMatchObject({ name: 'TrainerError', retryable: true });
  for (let wait = 0; (await ranksIn(directory)).length > 0 && wait < 100; wait += 1) await sleep(100);
  expect(await ranksIn(directory)).toEqual([]);
}

/** The ranks that work in a folder. */
async function ranksIn(folder: string): Promise<number[]> {
  const rows = await runningWith(folder);
  return rows
    .filter(({ command: line }) => line.includes('rank.py') && !line.includes('launch.py'))
    .map(({ pid }) => pid);
}
