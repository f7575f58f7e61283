/** The files of W&B's offline mode, read by W&B's own reader where it is installed: WANDB_PYTHON names a Python that has it. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { wandb } from '../../src/tracking/wandb.ts';
import { logFile, message } from '../../src/tracking/wandb-file.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { trackedRun } from './tracked.ts';

const run = promisify(execFile);
const python = process.env.WANDB_PYTHON ?? 'python3';
const isInstalled = await run(python, ['-c', 'from wandb.sdk.internal import datastore']).then(
  () => true,
  () => false,
);
const notInstalled = 'needs a Python with wandb 0.19, the last with a reader in Python: name it in WANDB_PYTHON';
const signal = new AbortController().signal;

async function read(file: string) {
  return JSON.parse((await run(python, ['test/tracking/wandb-read.py', file], { maxBuffer: 1e8 })).stdout);
}

test('the loop and each round are runs of one group, which W&B reads with curves, intervals and references', async (context) => {
  const folder = await temporaryFolder();
  const tracked = trackedRun();
  const place = { project: 'loops', folder, signal };
  const ids = await wandb.send(tracked, tracked.rounds, {}, place);
  expect(ids).toEqual({ run: 'a1b2c3d4', 'round-0': 'a1b2c3d4r0', 'round-1': 'a1b2c3d4r1' });
  const names = (await readdir(folder)).sort();
  expect(names).toEqual([
    'offline-run-20260301_020000-a1b2c3d4',
    'offline-run-20260301_020000-a1b2c3d4r0',
    'offline-run-20260301_021000-a1b2c3d4r1',
  ]);
  // A run that was moved keeps its id.
  const moved = await wandb.send({ ...tracked, id: 'another' }, [], { run: 'a1b2c3d4' }, place);
  expect([moved, (await readdir(folder)).length]).toEqual([{ run: 'a1b2c3d4' }, 3]);
  if (!isInstalled) context.skip(notInstalled);
  const loop = await read(join(folder, names[0] as string, 'run-a1b2c3d4.wandb'));
  expect(loop.kinds).toEqual(['header', 'run', 'history', 'history', 'summary', 'exit']);
  expect(loop.numbers).toEqual([1, 2, 3, 4, 5, 6]);
  expect(loop.run).toEqual(['a1b2c3d4', 'loops', 'nightly', 'loop', 'nightly', Date.UTC(2026, 2, 1, 2) / 1000]);
  expect(loop.config['finetune.lora.rank']).toEqual({ desc: null, value: 8 });
  expect(loop.history[1]).toMatchObject({ step: 1, round: 1, 'validation.multipleChoice': 0.7, samplesAdded: 12 });
  expect(loop.exit).toEqual([0, 19 * 60]);

  const round = await read(join(folder, names[2] as string, 'run-a1b2c3d4r1.wandb'));
  expect(round.run.slice(2, 5)).toEqual(['nightly', 'round', 'nightly round 1']);
  expect(round.history).toHaveLength(1203);
  expect(round.history[599]).toEqual({ step: 600, _step: 600, loss: 2 / 600, validation_loss: 0.5 });
  expect(round.summary).toMatchObject({
    'validation.multipleChoice.low': 0.55,
    'validation.multipleChoice.high': 0.65,
  });
  expect(round.config['dataset.version'].value).toBe('f'.repeat(64));
  expect(round.config['artifact.model'].value).toBe('/runs/nightly/round-1/merged');
});

test('records of every length are whole at the ends of blocks', async (context) => {
  if (!isInstalled) context.skip(notInstalled);
  const folder = await temporaryFolder();
  // A block has 32,768 bytes: these end before, at and after its end, and one takes several.
  for (const length of [32_700, 32_735, 32_740, 32_747, 32_748, 32_754, 32_761, 100_000]) {
    const tracked = trackedRun({ references: { run: 'x'.repeat(length) } });
    await wandb.send(tracked, [], {}, { project: 'loops', folder, signal });
    const [name = ''] = await readdir(folder);
    const { config, history } = await read(join(folder, name, 'run-a1b2c3d4.wandb'));
    expect([config['artifact.run'].value.length, history.length]).toEqual([length, 2]);
  }
});

test('the same is written as the same bytes, and a message as protobuf has it', async () => {
  const files = await Promise.all(
    [1, 2].map(async () => {
      const folder = await temporaryFolder();
      const tracked = trackedRun();
      await wandb.send(tracked, tracked.rounds, {}, { project: 'loops', folder, signal });
      const [name = ''] = await readdir(folder);
      return readFile(join(folder, name, 'run-a1b2c3d4.wandb'), 'hex');
    }),
  );
  expect(files[0]).toBe(files[1]);
  // The example of protobuf's page on its encoding: field 1 is 150, field 2 the text "testing".
  expect(
    Buffer.from(
      message([
        [1, 150],
        [2, 'testing'],
      ]),
    ).toString('hex'),
  ).toBe('089601120774657374696e67');
  expect(Buffer.from(logFile([])).toString('hex')).toBe('3a572642e1be00');
});
