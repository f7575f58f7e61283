/** A CPU worker's event loop while steps compute with data of COCO's size. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import { createCpuActivities } from '../../activities/cpu.ts';
import { openStepProcesses } from '../../activities/step-processes.ts';
import { stepProcess } from '../../workers/create-worker.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { dependencies } from '../workflows/worker-activities.ts';
import { longestHold, writeLargeRun } from './large-data.ts';

test('with 1,000,000 records and 448 MB of annotations the loop is never held over 200 ms', async () => {
  const runDirectory = await writeLargeRun(await temporaryFolder(), { records: 1_000_000, annotationBytes: 448e6 });
  const processes = openStepProcesses({ entry: stepProcess });
  const { prepareData } = createCpuActivities({ ...dependencies, processes });
  const prepare = () => new MockActivityEnvironment().run(prepareData, { runDirectory, round: 0 });
  const hold = await longestHold(async () => expect(await prepare()).toHaveProperty('images'));
  processes.close();
  expect(hold).toBeLessThan(200);
});
