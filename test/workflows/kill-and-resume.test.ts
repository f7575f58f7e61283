import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runningWith } from '../../bench/support/processes.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { pretendTrainerEntry, writeTinyRun } from '../round/tiny-run.ts';
import { startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { lossCurve, runWithKills } from './kill-and-resume.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

test('after kill -9 of the trainer, then of the GPU worker, the run ends with the loss curve of an undisturbed one', async () => {
  const folder = await temporaryFolder();
  const queues = { cpuQueue: 'kill-cpu', gpuQueue: 'kill-gpu' };
  const configFile = await writeTinyRun(folder, (config) => ({
    ...config,
    rounds: 0,
    finetune: { ...config.finetune, stepsPerEpoch: 60, checkpointEverySteps: 10 },
    temporal: { ...config.temporal, taskQueues: { cpu: queues.cpuQueue, gpu: queues.gpuQueue } },
  }));
  const common = { environment, folder, configFile, ...queues, trainerEntry: pretendTrainerEntry };
  const undisturbed = await runWithKills({ ...common, run: 'undisturbed' });
  const killed = await runWithKills({
    ...common,
    run: 'killed',
    trainerEnvironment: { DATAENGINE_PRETEND_STEP_MILLISECONDS: '60' },
    kills: { trainerAfterStep: 15, workerAfterStep: 33 },
  });

  expect(await lossCurve(killed.directory)).toEqual(await lossCurve(undisturbed.directory));
  expect(killed.rounds[0]?.multipleChoice).toBe(undisturbed.rounds[0]?.multipleChoice);
  const log = await readFile(join(killed.directory, 'round-0', 'finetune', 'trainer.log'), 'utf8');
  expect(log.match(/starting at step \d+/g)).toEqual([
    'starting at step 0',
    'starting at step 10',
    'starting at step 30',
  ]);
  expect(await runningWith(killed.directory)).toEqual([]);
}, 300_000);
