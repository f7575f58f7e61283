import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { runStepOnce } from '../../src/core/manifest.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { freezeConfig } from '../../src/round/frozen-config.ts';
import { servedModel } from '../../src/round/served-model.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

let run: string;

/** Finishes a step of a round, which leaves one file. */
async function step(round: number, name: string, file: string, content: object): Promise<void> {
  const directory = path.join(run, `round-${round}`, name);
  await runStepOnce({
    directory,
    step: name,
    inputs: { round },
    work: async () => {
      await writeJson(path.join(directory, file), content);
      return { outputs: [file], metrics: {} };
    },
  });
}

const merged = (round: number) => step(round, 'merged', 'config.json', { round });
const decided = (round: number, accepted: boolean) =>
  step(round, 'gate', 'decision.json', {
    ...{ schemaVersion: 1, round, accepted, by: 'test', reason: 'so', comparison: 'hash' },
  });

beforeEach(async () => {
  const runs = await temporaryFolder();
  const frozen = await freezeConfig({ ...(await loadConfig('configs/demo.yaml')), runsDirectory: runs }, 'mine');
  run = frozen.directory.root;
  await merged(0);
});

test("a run means its last good round's merged model, whatever came after it", async () => {
  expect(await servedModel(run)).toEqual({
    directory: path.join(run, 'round-0/merged'),
    name: 'mine-round-0',
    tokenBoundaries: 'separate',
    exif: 'apply',
  });
  await decided(0, true);
  await merged(1);
  expect((await servedModel(run)).name).toBe('mine-round-0');
  await decided(1, true);
  expect((await servedModel(run)).directory).toBe(path.join(run, 'round-1/merged'));
  await merged(2);
  await decided(2, false);
  await mkdir(path.join(run, 'round-3/finetune'), { recursive: true });
  expect((await servedModel(run)).name).toBe('mine-round-1');
  expect((await servedModel(run, 2)).directory).toBe(path.join(run, 'round-2/merged'));
});

test('a round without a merged model is named', async () => {
  await decided(0, true);
  await decided(1, true);
  await expect(servedModel(run)).rejects.toThrow(
    'round-1/merged: round 1 has no merged model. Wait until its step merge is done',
  );
});

test('a model directory and the folder of a round mean themselves', async () => {
  const round = path.join(run, 'round-0');
  expect(await servedModel(round)).toEqual({ directory: path.join(round, 'merged'), name: 'mine-round-0' });
  expect(await servedModel(path.join(round, 'merged'))).toEqual(await servedModel(round));
  const model = path.join(await temporaryFolder(), 'my-model');
  await mkdir(model);
  await writeFile(path.join(model, 'config.json'), '{}');
  expect(await servedModel(model)).toEqual({ directory: model, name: 'my-model' });
});
