import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { usualWorkerSettings, type WorkerSettings } from '../../../src/core/worker-settings.ts';
import { evaluateEndpoint } from '../../../src/round/evaluate/evaluate-endpoint.ts';
import { readLedger } from '../../../src/teacher/ledger.ts';
import type { ToyServer } from '../../evaluation/endpoint/toy-server.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { type TinyQuestions, writeTinyQuestions } from '../../helpers/tiny-model.ts';
import { about, input, server, setOf } from './endpoint-inputs.ts';

describe('keys', () => {
  const settings = (secrets: WorkerSettings['secrets']) => ({ ...usualWorkerSettings(), secrets });

  test('one that was not named goes to no server that it is not bound to', async () => {
    vi.stubEnv('OPENAI_API_KEY', 'sk-secret-of-openai');
    onTestFinished(() => void vi.unstubAllEnvs());
    const toy = await server();
    const tiny = await writeTinyQuestions(await temporaryFolder(), 1);
    await evaluateEndpoint(await input(toy.url, setOf(tiny)));
    expect(new Set(toy.received.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer none']));
  });

  test('a named one goes where the settings bind it, and is refused elsewhere', async () => {
    vi.stubEnv('TOY_KEY', 'sk-secret-of-toy');
    onTestFinished(() => void vi.unstubAllEnvs());
    const toy = await server();
    const tiny = await writeTinyQuestions(await temporaryFolder(), 1);
    const host = new URL(toy.url).origin;
    const endpoint = { url: toy.url, model: 'toy', requestTimeoutSeconds: 30, apiKeyVariable: 'TOY_KEY' };
    const bound = settings([{ variable: 'TOY_KEY', hosts: [host] }]);
    await evaluateEndpoint(await input(toy.url, setOf(tiny), { endpoint, access: bound }));
    expect(new Set(toy.received.map(({ authorization }) => authorization))).toEqual(
      new Set(['Bearer sk-secret-of-toy']),
    );
    const elsewhere = { ...endpoint, url: 'http://elsewhere.example:8000/v1' };
    await expect(
      evaluateEndpoint(await input(toy.url, setOf(tiny), { endpoint: elsewhere, access: bound })),
    ).rejects.toMatchObject({ name: 'InputError', field: '--endpoint', problem: /may not send TOY_KEY to elsewhere/ });
  });

  test.each([
    ['not an address', 'is no address'],
    ['ftp://host/v1', 'is neither http nor https'],
    ['http://me:word@host/v1', 'has a user name or a password'],
    ['http://host/v1?key=a', 'has a query'],
  ])('the address %s is refused', async (url, problem) => {
    const tiny = await writeTinyQuestions(await temporaryFolder(), 1);
    await expect(evaluateEndpoint(await input(url, setOf(tiny)))).rejects.toMatchObject({
      name: 'InputError',
      problem,
    });
  });
});

describe('kill -9', { timeout: 120_000 }, () => {
  /** `dataengine evaluate --endpoint` as a process of its own. */
  function start(url: string, tiny: TinyQuestions, output: string): ChildProcess {
    const options = ['--benchmark', 'aokvqa', '--answers', 'ranked', '--file', tiny.file, '--images', tiny.images];
    const asked = ['--endpoint', url, '--model-name', 'toy', '--concurrency', '2', '--output', output];
    return spawn(process.execPath, ['--import', 'tsx', 'cli/main.ts', 'evaluate', ...options, ...asked], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  }

  async function untilAsked(toy: ToyServer, tiny: TinyQuestions, count: number): Promise<void> {
    while (about(tiny, toy.received).length < count) await wait(10);
  }

  const bytesOf = async (folder: string) => readFile(join(folder, 'answers', 'answers.jsonl'), 'utf8');

  test('of the evaluation: it resumes at the last answered question, and ends with the same answers', async () => {
    const toy = await server({ delay: 15 });
    const tiny = await writeTinyQuestions(await temporaryFolder(), 12);
    const output = await temporaryFolder();
    const first = start(toy.url, tiny, output);
    await untilAsked(toy, tiny, 26);
    first.kill('SIGKILL');
    await once(first, 'exit');
    const before = about(tiny, toy.received).length;
    const second = start(toy.url, tiny, output);
    expect(await once(second, 'exit')).toEqual([0, null]);
    // Five requests a question; what was open when it was killed, at most two questions, is asked again.
    const after = about(tiny, toy.received).length - before;
    expect(before + after).toBeGreaterThanOrEqual(12 * 5);
    expect(before + after).toBeLessThanOrEqual(14 * 5);
    expect(after).toBeLessThan(12 * 5 - 10);
    const undisturbed = await evaluateEndpoint(await input(toy.url, setOf(tiny)));
    const [folder = ''] = (await readdir(output)).filter((name) => name.includes('toy'));
    expect(await bytesOf(join(output, folder, 'aokvqa'))).toBe(await bytesOf(undisturbed.folder));
  });

  test('of the server: what was answered is kept, and the restarted one is asked for the rest', async () => {
    const startServer = async (port: string) => {
      const child = spawn(
        process.execPath,
        ['--import', 'tsx', 'test/evaluation/endpoint/toy-server-process.ts', port, 'toy', '15'],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      onTestFinished(() => void child.kill('SIGKILL'));
      for await (const line of createInterface({ input: child.stdout })) return { child, url: line };
      throw new Error('The toy server did not start');
    };
    const { child, url } = await startServer('0');
    const tiny = await writeTinyQuestions(await temporaryFolder(), 12);
    let killed = false;
    let [answeredAtKill, restarted] = [0, Promise.resolve<unknown>(undefined)];
    const asked = await input(url, setOf(tiny), {
      concurrency: 2,
      onProgress: ({ step }) => {
        if (step < 4 || killed) return;
        killed = true;
        answeredAtKill = step;
        child.kill('SIGKILL');
        restarted = once(child, 'exit').then(() => startServer(new URL(url).port));
      },
    });
    const { folder, scores } = await evaluateEndpoint(asked);
    await restarted;
    expect(answeredAtKill).toBe(4);
    expect(scores.unanswered).toBe(0);
    const { calls, failedCalls, lostCalls } = await readLedger(asked.output);
    // The calls that were open, and those that found no server.
    expect(failedCalls + lostCalls).toBeGreaterThanOrEqual(1);
    expect(calls - failedCalls - lostCalls).toBe(12);
    const toy = await server();
    const undisturbed = await evaluateEndpoint(await input(toy.url, setOf(tiny)));
    expect(await bytesOf(folder)).toBe(await bytesOf(undisturbed.folder));
  });
});
