/**
 * `dataengine run --local` with a pretend trainer: its processes and its end, not its scores.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, test, vi } from 'vitest';
import { runningWith } from '../../bench/support/processes.ts';
import { runLocally } from '../../cli/run-locally.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { projectFile } from '../../src/core/files.ts';
import { freePorts } from '../../src/core/free-ports.ts';
import { withLock } from '../../src/core/with-lock.ts';
import { workerSettingsVariable } from '../../src/core/worker-settings.ts';
import type { DataEngineInput } from '../../workflows/inputs.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { pretendTrainerEntry, writeTinyRun } from '../round/tiny-run.ts';
import { printedBy } from './in-this-process.ts';

beforeEach(async () => {
  // Nothing listens there: whoever has a server of their own must not be joined.
  vi.stubEnv('TEMPORAL_ADDRESS', `127.0.0.1:${(await freePorts(1))[0]}`);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  return () => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  };
});

async function localRun(configFile: string, signal: AbortSignal): Promise<DataEngineResult> {
  const config = await loadConfig(configFile);
  const local = { config, configFile, run: 'tiny', signal, trainerEntry: pretendTrainerEntry };
  return runLocally(local, async (client) => {
    const args: [DataEngineInput] = [{ config: configFile, run: 'tiny' }];
    const taskQueue = config.temporal.taskQueues.cpu;
    return client.workflow.execute('dataEngine', { taskQueue, workflowId: 'tiny', args });
  });
}

test('starts a server and workers where there are none, and leaves no process', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({ ...tiny, rounds: 0 }));
  const result = await localRun(config, new AbortController().signal);
  expect(result.rounds).toHaveLength(1);
  expect(result.directory).toBe(join(folder, 'runs', 'tiny'));
  // A killed process needs a moment to disappear.
  await expect.poll(() => runningWith(folder), { timeout: 5000 }).toEqual([]);
}, 300_000);

test('stops everything when interrupted, and the same command resumes', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    rounds: 0,
    finetune: { ...tiny.finetune, stepsPerEpoch: 60 },
  }));
  const finetune = join(folder, 'runs', 'tiny', 'round-0', 'finetune');
  vi.stubEnv('DATAENGINE_PRETEND_STEP_MILLISECONDS', '100');
  const interruption = new AbortController();
  const interrupted = localRun(config, interruption.signal).catch((error: Error) => error.message);
  while ((await readFile(join(finetune, 'loss.jsonl'), 'utf8').catch(() => '')).split('\n').length < 12)
    await sleep(50);
  interruption.abort(new Error('interrupted'));
  expect(await interrupted).toBe('interrupted');
  await expect.poll(() => runningWith(folder), { timeout: 5000 }).toEqual([]);

  vi.stubEnv('DATAENGINE_PRETEND_STEP_MILLISECONDS', '0');
  await localRun(config, new AbortController().signal);
  expect(await readFile(join(finetune, 'trainer.log'), 'utf8')).toMatch(
    /starting at step 0 [\s\S]*starting at step [1-9]0 /,
  );
}, 300_000);

test('teacher.serve: a round asks a teacher that its GPU worker starts by the settings of this machine', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    rounds: 1,
    teacher: { serve: 'teacher', model: 'local-teacher' },
  }));
  const log = join(folder, 'asked.log');
  const program = projectFile('test/workflows/served-teacher-process.ts');
  const command = [process.execPath, '--import', 'tsx', program, '{port}', log, '0'];
  const settings = join(folder, 'machine.yaml');
  await writeFile(settings, JSON.stringify({ serve: { teacher: { command } } }));
  vi.stubEnv(workerSettingsVariable, settings);
  const { rounds, directory } = await localRun(config, new AbortController().signal);
  expect(rounds[1]?.samplesAdded).toBeGreaterThan(0);
  const lines = (await readFile(log, 'utf8')).trim().split('\n');
  expect(lines.filter((line) => line.startsWith('asked')).length).toBeGreaterThan(0);
  const { finishedAt } = JSON.parse(await readFile(join(directory, 'round-1/generate/manifest.json'), 'utf8'));
  const { startedAt } = JSON.parse(await readFile(join(directory, 'round-1/finetune/manifest.json'), 'utf8'));
  expect(Date.parse(startedAt)).toBeGreaterThanOrEqual(Date.parse(finishedAt));
  await expect.poll(() => runningWith(folder), { timeout: 5000 }).toEqual([]);
}, 300_000);

test('says that another process runs it here, instead of waiting in silence', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder);
  const interruption = new AbortController();
  await withLock(join(folder, 'runs', 'tiny', 'local.lock'), async () => {
    const waiting = localRun(config, interruption.signal).catch((error: Error) => error.message);
    const said = () => vi.mocked(process.stderr.write).mock.calls.join('');
    await expect.poll(said).toMatch(new RegExp(`^Waiting +process ${process.pid} runs tiny here`, 'm'));
    await sleep(500);
    expect(said().match(/Waiting/g)).toHaveLength(1);
    interruption.abort(new Error('interrupted'));
    expect(await waiting).toBe('interrupted');
  });
}, 60_000);

test('--detach does not go with it, and says why', async () => {
  const config = await writeTinyRun(await temporaryFolder());
  await expect(printedBy('run', '--config', config, '--local', '--detach')).rejects.toThrow(
    /--detach: does not go with --local/,
  );
});
