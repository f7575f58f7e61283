/** A CPU worker's event loop while steps compute with data of COCO's size. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import { createCpuActivities } from '../../activities/cpu.ts';
import { openStepProcesses } from '../../activities/step-processes.ts';
import { stepProcess } from '../../workers/create-worker.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { dependencies } from '../workflows/worker-activities.ts';
import { longestHold, writeLargeRun } from './large-data.ts';
import { writeAnswers, writeEmbeddings, writeEvaluation, writeRequests } from './large-round.ts';

test('with 1,000,000 records and 448 MB of annotations, steps with 2 GB each never hold the loop over 200 ms', async () => {
  const runDirectory = await writeLargeRun(await temporaryFolder(), { records: 1_000_000, annotationBytes: 448e6 });
  const processes = openStepProcesses({ entry: stepProcess, heapMegabytes: 2048 });
  const activities = createCpuActivities({ ...dependencies, processes });
  const holds: Record<string, number> = {};
  const compute = async (name: 'prepareData' | 'classify' | 'sample' | 'refine', round: number, outcome: object) => {
    const activity = () => new MockActivityEnvironment().run(activities[name], { runDirectory, round });
    holds[name] = await longestHold(async () => expect(await activity()).toMatchObject(outcome));
  };
  await writeEvaluation(runDirectory, 200_000);
  await writeEmbeddings(runDirectory, { images: 118_287, width: 256 });
  await writeRequests(runDirectory, 5000);
  await writeAnswers(runDirectory, 5000);
  await compute('prepareData', 0, { images: expect.any(Number) });
  await compute('classify', 0, { badCases: 100_000 });
  await compute('refine', 1, { accepted: expect.any(Number) });
  await compute('sample', 1, { requests: 6 });
  processes.close();
  for (const [name, hold] of Object.entries(holds)) expect(hold, name).toBeLessThan(200);
}, 900_000);
