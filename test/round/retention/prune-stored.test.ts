/** What is removed of runs in a store on S3, which share their objects. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bucket, s3Server } from '../../../bench/support/s3-server.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import type { Config } from '../../../src/config/schema.ts';
import { fileExists } from '../../../src/core/files.ts';
import { hashFile } from '../../../src/core/hash.ts';
import { readRecord, writeRecord } from '../../../src/core/remote/folder-record.ts';
import { openStore } from '../../../src/core/remote/stored-run.ts';
import { append } from '../../../src/round/append/append.ts';
import { classify } from '../../../src/round/classify/classify.ts';
import { embed } from '../../../src/round/embed/embed.ts';
import { evaluate } from '../../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../../src/round/finetune/finetune.ts';
import { finishedStep } from '../../../src/round/finished-step.ts';
import { gate } from '../../../src/round/gate/gate.ts';
import { generate } from '../../../src/round/generate/generate.ts';
import { merge, mergeAgain } from '../../../src/round/merge/merge.ts';
import { withNamedRun } from '../../../src/round/named-run.ts';
import { withNewRun } from '../../../src/round/open-run.ts';
import { ownWholeStep } from '../../../src/round/own-folders.ts';
import { refine } from '../../../src/round/refine/refine.ts';
import { prune } from '../../../src/round/retention/prune.ts';
import { sample } from '../../../src/round/sample/sample.ts';
import type { StepContext } from '../../../src/round/step-context.ts';
import type { StepName } from '../../../src/round/steps.ts';
import { typescriptTrainer } from '../../../src/trainer/supervisor/trainer-command.ts';
import { extensions } from '../../../workers/extensions.ts';
import { useS3Server } from '../../helpers/s3-server.ts';
import { pretendTrainerEntry, writeTinyRun } from '../tiny-run.ts';

useS3Server();

const storeUri = `s3://${bucket}/pruned`;
const signal = new AbortController().signal;
const onlyTheLastGood = { lastRounds: 0, best: false };
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'prune-stored-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Work = (context: StepContext) => Promise<unknown>;
const steps: [StepName, Work, rounds: number[]][] = [
  ['embed', embed, [1]],
  ['sample', sample, [1]],
  ['generate', generate, [1]],
  ['refine', refine, [1]],
  ['append', append, [1]],
  ['finetune', finetune, [0, 1]],
  ['merge', merge, [0, 1]],
  ['evaluate', evaluate, [0, 1]],
  ['classify', classify, [0, 1]],
  ['gate', (context) => gate(context), [0, 1]],
];

/** A machine with a disk of its own. */
async function machine(of: string) {
  const own = join(folder, of);
  const file = await writeTinyRun(own, (config) => ({ ...config, store: storeUri, rounds: 1 }));
  const config: Config = await loadConfig(file);
  // In a store, what has the same content is one object.
  const trainer = {
    ...typescriptTrainer(pretendTrainerEntry),
    environment: { DATAENGINE_PRETEND_MERGED: 'of base and adapter' },
  };
  const onProgress = () => undefined;
  const step = (run: string, name: StepName, work: Work, round: number, change: Partial<Config> = {}) =>
    withNewRun(
      { ...config, ...change },
      run,
      { signal, onProgress, extensions, owns: ownWholeStep(round, name) },
      (open) => work({ ...open, round, onProgress, trainer }),
    );
  return {
    root: (run: string) => join(own, 'runs', run),
    step,
    play: async (run: string) => {
      for (const round of [0, 1]) {
        for (const [name, work, rounds] of steps) if (rounds.includes(round)) await step(run, name, work, round);
      }
    },
    prune: (run: string, dryRun = false) =>
      withNamedRun({ config: file, run }, { signal, extensions }, (open) =>
        prune(open, { dryRun, retention: onlyTheLastGood }),
      ),
  };
}

const recordOf = (run: string, round: number) =>
  readRecord(openStore(storeUri), `runs/${run}/round-${round}/merged/folder.json`);

describe.skipIf(s3Server === undefined)('runs in a store', () => {
  let one: Awaited<ReturnType<typeof machine>>;
  let two: Awaited<ReturnType<typeof machine>>;
  /** A round that does not keep its model, and the object of its weights. */
  let old: number;
  let object: string;
  const store = () => openStore(storeUri);

  beforeAll(async () => {
    if (s3Server === undefined) return;
    one = await machine('one');
    two = await machine('two');
    // The same config and seed: the same weights.
    await one.play('first');
    await two.play('second');
    const { kept } = await one.prune('first', true);
    old = [0, 1].find((round) => !kept.some((keep) => keep.round === round)) ?? -1;
    const path = `round-${old}/merged/model.safetensors`;
    const record = (await recordOf('first', old))?.record;
    expect((await recordOf('second', old))?.record.files[path]).toEqual(record?.files[path]);
    object = `objects/${record?.files[path]?.sha256}`;
  });

  test('a dry run changes nothing', async () => {
    const before = await recordOf('first', old);
    const outcome = await one.prune('first', true);
    expect(outcome.removed).toContainEqual({ kind: 'model', files: 1, bytes: expect.any(Number) });
    expect(await recordOf('first', old)).toEqual(before);
  });

  test('an object that another run names stays, and goes with the last one', async () => {
    await one.prune('first');
    expect(Object.keys((await recordOf('first', old))?.record.files ?? {})).toContain(
      `round-${old}/merged/pruned.json`,
    );
    expect(Object.keys((await recordOf('first', old))?.record.files ?? {})).not.toContain(
      `round-${old}/merged/model.safetensors`,
    );
    expect(await store().sizeOf(object)).toBeGreaterThan(0);
    await two.prune('second');
    expect(await store().sizeOf(object)).toBeUndefined();
  });

  test('on every machine the steps count as done, and what needs the model says how to get it', async () => {
    for (const name of ['merge', 'evaluate'] as const) {
      const work = name === 'merge' ? merge : evaluate;
      expect(await two.step('first', name, work, old)).toMatchObject({ reused: true });
    }
    const needing: Work = ({ run }) => finishedStep(run, old, 'merge', { weights: true });
    await expect(two.step('first', 'classify', needing, old)).rejects.toThrow(
      new RegExp(`the merged model of round ${old} is not whole: .*dataengine merge --round ${old}`),
    );
    expect(await fileExists(join(two.root('first'), `round-${old}`, 'merged', 'model.safetensors'))).toBe(false);
  });

  test('an evaluation makes it again on its own machine alone; a merge by hand puts it into the store again', async () => {
    const changed = { evaluate: { ...(await loadConfig(join(folder, 'two', 'tiny.yaml'))).evaluate, shards: 2 } };
    expect(await two.step('first', 'evaluate', evaluate, old, changed)).toMatchObject({ reused: false });
    const here = join(two.root('first'), `round-${old}`, 'merged', 'model.safetensors');
    expect(`objects/${await hashFile(here)}`).toBe(object);
    expect(await store().sizeOf(object)).toBeUndefined();
    await one.step('first', 'merge', mergeAgain, old);
    expect(await store().sizeOf(object)).toBeGreaterThan(0);
    const files = Object.keys((await recordOf('first', old))?.record.files ?? {});
    expect(files).toContain(`round-${old}/merged/model.safetensors`);
    expect(files).not.toContain(`round-${old}/merged/pruned.json`);
  });

  test('while a step of any run is under way objects stay, and the next prune removes them', async () => {
    const key = 'runs/second/round-9/finetune/folder.json';
    const busy = {
      state: 'started' as const,
      attempt: 'x',
      host: 'elsewhere',
      at: new Date().toISOString(),
      files: {},
    };
    await writeRecord(store(), key, busy, undefined);
    const outcome = await one.prune('first');
    expect(outcome.waiting).toMatchObject({ objects: 1, why: 'the step second/round-9/finetune is under way' });
    expect(await store().sizeOf(object)).toBeGreaterThan(0);
    await store().remove([key]);
    expect((await one.prune('first')).waiting).toBeUndefined();
    expect(await store().sizeOf(object)).toBeUndefined();
  });

  test('a folder that another run of the store starts from stays', async () => {
    await one.step('first', 'merge', mergeAgain, old);
    const path = join(folder, 'one', 'runs', 'first', `round-${old}`, 'merged');
    const { model } = await loadConfig(join(folder, 'one', 'tiny.yaml'));
    await one.step('descendant', 'classify', async () => undefined, 0, { model: { ...model, path } });
    const outcome = await one.prune('first');
    expect(outcome.needed).toEqual([{ by: 'descendant', path: `round-${old}/merged` }]);
    expect(await store().sizeOf(object)).toBeGreaterThan(0);
  });
});
