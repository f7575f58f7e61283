/**
 * The short form of `npm run chaos`: a pretend trainer, a tiny dataset, and one kill each of those that come back soon.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compareRuns, leftovers } from '../../bench/chaos/compare.ts';
import { runWithChaos } from '../../bench/chaos/run.ts';
import { runningWith } from '../../bench/support/processes.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { pretendTrainerEntry, writeTinyRun } from '../round/tiny-run.ts';

test('whatever process is killed, the run ends with the same data, scores and adapters', async () => {
  const folder = await temporaryFolder();
  const configFile = await writeTinyRun(folder, (config) => ({
    ...config,
    rounds: 1,
    finetune: { ...config.finetune, stepsPerEpoch: 60 },
  }));
  const common = {
    configFile,
    run: 'chaos',
    seed: 7,
    teacherMilliseconds: 4000,
    trainerEntry: pretendTrainerEntry,
    trainerEnvironment: { DATAENGINE_PRETEND_STEP_MILLISECONDS: '150' },
  };
  const [calm, wild] = await Promise.all([
    runWithChaos({ ...common, folder: join(folder, 'calm'), kills: 0, seconds: 0 }),
    runWithChaos({
      ...common,
      folder: join(folder, 'wild'),
      kills: 3,
      each: 1,
      among: ['trainer', 'teacher', 'Temporal server'],
      seconds: 8,
    }),
  ]);

  expect(wild.kills.map(({ victim }) => victim).sort()).toEqual(['Temporal server', 'teacher', 'trainer']);
  expect(await compareRuns(calm, wild)).toEqual({ sameDataset: true, scores: 0, losses: 0, adapter: 0 });
  expect(wild.endedTwice).toEqual([]);
  expect(await leftovers(wild.directory)).toEqual([]);
  expect(await runningWith(folder)).toEqual([]);
  // Two servers, four workers and two teachers start, some of them twice: slow machines take their time.
}, 900_000);
