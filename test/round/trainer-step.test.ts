/**
 * Two attempts at the same time at a step of the trainer: the first was thought dead.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runningWith } from '../../bench/support/processes.ts';
import { readManifest } from '../../src/core/manifest.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { until } from '../workflows/until.ts';
import { pretendTrainerEntry, tinyContext, writeTinyRun } from './tiny-run.ts';

test('the second attempt kills the trainer of the first, resumes from its checkpoint, and is the only one to finish', async () => {
  const folder = await temporaryFolder();
  const configFile = await writeTinyRun(folder, (config) => ({
    ...config,
    finetune: { ...config.finetune, stepsPerEpoch: 60, checkpointEverySteps: 10 },
  }));
  const trainer = {
    ...typescriptTrainer(pretendTrainerEntry),
    environment: { DATAENGINE_PRETEND_STEP_MILLISECONDS: '50' },
  };
  const context = await tinyContext(configFile, { trainer });
  const directory = join(context.run.root, 'round-0', 'finetune');
  const losses = async () => (await readFile(join(directory, 'loss.jsonl'), 'utf8').catch(() => '')).trim().split('\n');

  const first = finetune(context).catch((error: unknown) => error);
  await until(async () => (await losses()).length > 15);
  const second = await finetune(context);

  expect(await first).toMatchObject({ name: 'TrainerError', retryable: true });
  expect(second).toMatchObject({ reused: false, steps: 60 });
  const manifest = await readManifest(directory);
  expect((await losses()).map((line) => JSON.parse(line).step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
  const log = await readFile(join(directory, 'trainer.log'), 'utf8');
  expect(log.match(/starting at step \d+/g)).toEqual(['starting at step 0', expect.stringMatching(/step [1-5]0$/)]);
  expect(await runningWith(folder)).toEqual([]);
  // The first one, tried again, finds the step done.
  expect(await finetune(context)).toMatchObject({ reused: true });
  expect(await readManifest(directory)).toEqual(manifest);
});
