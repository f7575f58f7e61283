/**
 * The loop with its real activities on a real server; only the trainer is simulated.
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runningWith } from '../../bench/support/processes.ts';
import { describeFailure, rootCause } from '../../cli/failures.ts';
import { watch } from '../../cli/watch/watch.ts';
import { temporalExecutable } from '../../demo/command/temporal-server.ts';
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { pretendTrainerEntry, type TinyConfig, writeTinyRun } from '../round/tiny-run.ts';
import { startEnvironment, type WorkflowTestEnvironment, withWorkers } from './environment.ts';

const run = promisify(execFile);
let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

const trainerWith = (variables: Record<string, string> = {}) => ({
  ...typescriptTrainer(pretendTrainerEntry),
  environment: variables,
});

async function tinyFolder(change?: (config: TinyConfig) => object) {
  const folder = await temporaryFolder();
  return { folder, configFile: await writeTinyRun(folder, change) };
}

test('two rounds, started with the plain temporal command and followed as dataengine watch does', async () => {
  const { folder, configFile } = await tinyFolder();
  const output = new PassThrough();
  const result = await withWorkers(environment, trainerWith(), async () => {
    const line = [
      'workflow',
      'start',
      '--type',
      'dataEngine',
      '--task-queue',
      'data-engine',
      '--workflow-id',
      'tuesday night',
      '--input',
      JSON.stringify({ config: configFile }),
    ];
    await run(await temporalExecutable(), [...line, '--address', environment.temporal.address]);
    return watch(environment.temporal.client, 'tuesday night', { form: 'lines', output });
  });
  expect(result).toMatchObject({ run: 'tuesday-night', directory: join(folder, 'runs', 'tuesday-night') });
  expect(result.rounds.map((row) => row.round)).toEqual([0, 1, 2]);
  for (const row of result.rounds)
    expect(row).toMatchObject({ multipleChoice: expect.any(Number), testMultipleChoice: expect.any(Number) });
  expect(result.rounds[1]?.samplesAdded).toBeGreaterThan(0);
  expect(result.rounds[1]?.teacherTokens.completion).toBeGreaterThan(0);
  expect(await readFile(result.report, 'utf8')).toContain('</html>');
  const lines = (await text(output.end())).split('\n');
  expect(lines).toContainEqual(expect.stringMatching(/^round 0 finetune +[\d.]+ s +\d+ samples, loss /));
  expect(lines).toContainEqual(expect.stringMatching(/^round 2 gate /));
}, 300_000);

test('an unknown key in the config fails the workflow at once, naming line and nearest key', async () => {
  const { folder } = await tinyFolder();
  const configFile = join(folder, 'wrong.yaml');
  await writeFile(configFile, 'model: { path: x }\ndata: { root: y }\nfinetune:\n  ephocs: 3\n');
  const failure = await withWorkers(environment, trainerWith(), () =>
    environment.temporal.client.workflow.execute('dataEngine', {
      taskQueue: 'data-engine',
      workflowId: 'wrong',
      args: [{ config: configFile }],
    }),
  ).catch((error) => error);
  expect(rootCause(failure)).toMatchObject({ type: 'InputError', nonRetryable: true });
  expect(describeFailure(failure)).toMatchObject({
    exitCode: 2,
    message: expect.stringMatching(/wrong\.yaml:4.*finetune\.ephocs.*Did you mean finetune\.epochs\?/),
  });
});

test('cancelling stops the trainer and leaves no process behind', async () => {
  const { folder, configFile } = await tinyFolder((config) => ({
    ...config,
    rounds: 0,
    finetune: { ...config.finetune, stepsPerEpoch: 1000 },
  }));
  const status = await withWorkers(
    environment,
    trainerWith({ DATAENGINE_PRETEND_STEP_MILLISECONDS: '100' }),
    async () => {
      const handle = await environment.temporal.client.workflow.start('dataEngine', {
        taskQueue: 'data-engine',
        workflowId: 'cancelled',
        args: [{ config: configFile }],
      });
      while (
        !(await readFile(join(folder, 'runs', 'cancelled', 'round-0', 'finetune', 'loss.jsonl'), 'utf8').catch(
          () => '',
        ))
      )
        await sleep(100);
      expect(await runningWith(folder)).not.toEqual([]);
      await handle.cancel();
      await handle.result().catch(() => undefined);
      return (await handle.describe()).status.name;
    },
  );
  expect(status).toBe('CANCELLED');
  expect(await runningWith(folder)).toEqual([]);
}, 300_000);
