/**
 * The short form of the parts `owners`, `zombies` and `resets` of `npm run chaos`: one run with a pretend trainer and a tiny
 * dataset.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { leftovers } from '../../bench/chaos/compare.ts';
import { type Owners, tryToOwn } from '../../bench/chaos/owners.ts';
import { type Resets, resetAll } from '../../bench/chaos/resets.ts';
import { runWithChaos } from '../../bench/chaos/run.ts';
import { stopAtPoints, type Zombies } from '../../bench/chaos/zombies.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { pretendTrainerEntry, writeTinyRun } from '../round/tiny-run.ts';

test('others are refused, and stopped processes and resets leave a run as it was', async () => {
  const folder = await temporaryFolder();
  const configFile = await writeTinyRun(folder, (config) => ({
    ...config,
    rounds: 1,
    finetune: { ...config.finetune, stepsPerEpoch: 60 },
  }));
  const found: { owners?: Owners; zombies?: Zombies; resets?: Resets } = {};
  const run = await runWithChaos({
    ...{ configFile, run: 'disturbed', seed: 7, kills: 0, seconds: 0, folder: join(folder, 'stack') },
    trainerEntry: pretendTrainerEntry,
    trainerEnvironment: { DATAENGINE_PRETEND_STEP_MILLISECONDS: '500' },
    meanwhile: async (stack, signal) => {
      found.owners = await tryToOwn(stack, { tries: 2, seconds: 1, seed: 7, signal });
    },
    afterwards: async (stack, { result }) => {
      found.zombies = await stopAtPoints(stack, { points: 5 });
      found.resets = await resetAll(stack, result, { most: 2 });
    },
  });
  expect(found.owners).toEqual({ tried: 2, refused: 2, surprises: [] });
  expect(JSON.parse(await readFile(join(run.directory, 'config.json'), 'utf8'))).toMatchObject({ seed: 7 });
  expect(found.zombies).toMatchObject({ points: 5, different: [] });
  expect(found.resets).toEqual({ tasks: 8, right: 8, wrong: [] });
  expect(await leftovers(run.directory)).toEqual([]);
  // Some twenty processes start, one after the other: slow machines take their time.
}, 1_400_000);
