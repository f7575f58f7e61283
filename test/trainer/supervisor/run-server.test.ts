/** A server that a step starts is ended with it, whatever ends the step. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { processStartTime } from '../../../src/core/process-identity.ts';
import { fenceName } from '../../../src/trainer/supervisor/fence.ts';
import { killPreviousServer, withServer } from '../../../src/trainer/supervisor/run-server.ts';
import { toyCommand } from '../../evaluation/endpoint/toy-command.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const signal = new AbortController().signal;

/** The pids of the wrapper and the server of a folder, by their arguments; the wrapper leads. */
async function processesOf(directory: string): Promise<number[]> {
  const { stdout } = await promisify(execFile)('pgrep', [
    '-f',
    `(job.json|toy-server-process).*${directory}|${directory}/job.json`,
  ]).catch(() => ({ stdout: '' }));
  return stdout.split('\n').filter(Boolean).map(Number);
}

async function untilNoneOf(directory: string): Promise<void> {
  await vi.waitFor(async () => expect(await processesOf(directory)).toEqual([]), { timeout: 20_000, interval: 100 });
}

describe('a server', { timeout: 60_000 }, () => {
  test('runs while the work is done, without secrets of the environment, and no longer', async () => {
    vi.stubEnv('OPENAI_API_KEY', 'sk-secret-of-openai');
    onTestFinished(() => void vi.unstubAllEnvs());
    const directory = await temporaryFolder();
    const models = await withServer({ ...toyCommand(), model: directory, directory, signal }, async ({ url }) => {
      const pids = await processesOf(directory);
      expect(pids).toHaveLength(2);
      for (const pid of pids) expect(await readFile(`/proc/${pid}/environ`, 'utf8')).not.toContain('sk-secret');
      return (await fetch(`${url}/models`)).json();
    });
    expect(models).toMatchObject({ data: [{ id: 'toy' }] });
    expect(await processesOf(directory)).toEqual([]);
    await expect(readFile(join(directory, fenceName))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('ends when the work fails, or is cancelled', async () => {
    const directory = await temporaryFolder();
    const server = { ...toyCommand(), model: directory, directory };
    await expect(
      withServer({ ...server, signal }, async () => Promise.reject(new Error('the work failed'))),
    ).rejects.toThrow('the work failed');
    expect(await processesOf(directory)).toEqual([]);
    const cancel = new AbortController();
    const running = withServer({ ...server, signal: cancel.signal }, async ({ signal: both }) => {
      cancel.abort(new Error('cancelled'));
      await wait(60_000, undefined, { signal: both });
    });
    await expect(running).rejects.toThrow('cancelled');
    expect(await processesOf(directory)).toEqual([]);
  });

  test('that can’t be started, ends by itself or is never ready is an error with its last words', async () => {
    const directory = await temporaryFolder();
    const run = (command: string[], readySeconds = 30) =>
      withServer(
        { command: [...command, '{model}', '{port}'], readySeconds, model: directory, directory, signal },
        async () => 1,
      );
    await expect(run(['/no/such/program'])).rejects.toThrow(/could not be started: spawn \/no\/such\/program ENOENT/);
    const failing = run([process.execPath, '-e', 'console.error("out of memory"); process.exit(3)']);
    await expect(failing).rejects.toMatchObject({
      kind: 'crashed',
      retryable: true,
      message: /out of memory[\s\S]*exit code 3/,
    });
    const silent = run([process.execPath, '-e', 'setInterval(() => undefined, 1000)'], 1);
    await expect(silent).rejects.toMatchObject({ kind: 'stalled', retryable: true, message: /not ready after 1 s/ });
    await untilNoneOf(directory);
  });

  test('is not taken for what already listens at its port', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const directory = await temporaryFolder();
    const server = { ...toyCommand(), port, model: directory, directory, signal };
    await expect(withServer(server, async () => 1)).rejects.toThrow(
      `port ${port} of the server is not free (EADDRINUSE)`,
    );
  });
});

describe('kill -9', { timeout: 60_000 }, () => {
  async function startServing(directory: string) {
    const starter = spawn(
      process.execPath,
      ['--import', 'tsx', 'test/trainer/supervisor/serving-process.ts', directory],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    onTestFinished(() => void starter.kill('SIGKILL'));
    await once(starter.stdout, 'data');
    const pids = (await processesOf(directory)).filter((pid) => pid !== starter.pid);
    expect(pids).toHaveLength(2);
    return { starter, wrapper: Math.min(...pids), server: Math.max(...pids) };
  }

  test('of whoever started it: the server ends with it', async () => {
    const directory = await temporaryFolder();
    const { starter } = await startServing(directory);
    starter.kill('SIGKILL');
    await untilNoneOf(directory);
  });

  test.each(['server', 'wrapper'] as const)(
    'of the %s: the work fails, to be done again, and none is left',
    async (which) => {
      const directory = await temporaryFolder();
      const server = { ...toyCommand(), model: directory, directory, signal };
      const running = withServer(server, async ({ signal: both }) => {
        const pids = await processesOf(directory);
        process.kill(which === 'server' ? Math.max(...pids) : Math.min(...pids), 'SIGKILL');
        await wait(60_000, undefined, { signal: both });
      });
      await expect(running).rejects.toMatchObject({ name: 'TrainerError', retryable: true });
      expect(await processesOf(directory)).toEqual([]);
    },
  );

  test('of all but the server: the next attempt kills what is left', async () => {
    const directory = await temporaryFolder();
    const { starter, wrapper, server } = await startServing(directory);
    process.kill(wrapper, 'SIGKILL');
    starter.kill('SIGKILL');
    await once(starter, 'exit');
    await killPreviousServer(directory);
    await untilNoneOf(directory);
    // A zombie where no process reaps it.
    expect(await processStartTime(server)).toBeUndefined();
  });

  test('leaves the server of another folder alone', async () => {
    const [directory, elsewhere] = [await temporaryFolder(), await temporaryFolder()];
    await startServing(elsewhere);
    await killPreviousServer(directory);
    expect(await processesOf(elsewhere)).not.toEqual([]);
  });
});
