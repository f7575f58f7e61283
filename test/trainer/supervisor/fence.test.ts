/** The fence of a folder may have been written by somebody else: it kills this folder's own trainer, and nothing else. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { processStartTime } from '../../../src/core/process-identity.ts';
import { fenceName, killPreviousTrainer, raiseFence, runningTrainer } from '../../../src/trainer/supervisor/fence.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

/** A process in a group of its own, as trainers are. */
function startProcess(argument: string) {
  const script = 'process.stdout.write("up"); setInterval(() => undefined, 1000)';
  const child = spawn(process.execPath, ['-e', script, argument], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, pid: child.pid as number, up: once(child.stdout, 'data') };
}

const isAlive = async (pid: number) => (await processStartTime(pid)) !== undefined;

test("a folder's trainer is found and killed, also when the folder is reached by a link", async () => {
  const root = await temporaryFolder();
  const directory = join(root, 'finetune');
  await mkdir(directory);
  await writeFile(join(directory, 'job.json'), '{}');
  await symlink(directory, join(root, 'link'));
  const { pid, up } = startProcess(join(directory, 'job.json'));
  await up;
  await raiseFence(directory, pid);
  expect(await runningTrainer(join(root, 'link'))).toBe(pid);
  await killPreviousTrainer(join(root, 'link'));
  expect(await isAlive(pid)).toBe(false);
});

test('a process that is no trainer of the folder is left alone', async () => {
  const directory = await temporaryFolder();
  await writeFile(join(directory, 'job.json'), '{}');
  const elsewhere = await temporaryFolder();
  await writeFile(join(elsewhere, 'job.json'), '{}');
  for (const argument of ['something', join(elsewhere, 'job.json')]) {
    const { pid, up } = startProcess(argument);
    await up;
    await raiseFence(directory, pid);
    expect(await runningTrainer(directory)).toBeUndefined();
    await killPreviousTrainer(directory);
    expect(await isAlive(pid)).toBe(true);
  }
});

test.each([0, 1, -1, 1.5, '1'])('a fence that names the process %j is none', async (pid) => {
  const directory = await temporaryFolder();
  const startTime = await processStartTime(1);
  await writeFile(join(directory, fenceName), JSON.stringify({ host: hostname(), pid, startTime }));
  await killPreviousTrainer(directory);
  expect(await runningTrainer(directory)).toBeUndefined();
});
