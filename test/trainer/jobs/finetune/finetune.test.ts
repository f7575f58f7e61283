import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readAdapter } from '../../../../src/model/files/adapter.ts';
import { finetune } from '../../../../src/trainer/jobs/finetune/finetune.ts';
import { openLossLog } from '../../../../src/trainer/jobs/finetune/loss-log.ts';
import { learningRateAt } from '../../../../src/trainer/jobs/finetune/optimizer.ts';
import { lossesIn, maximumDifference, recordingReporter, tinyFinetune } from '../../../helpers/jobs.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { noTinyDisk, tinyDisk } from '../../../helpers/tiny-disk.ts';
import { makeTinyTraining, type TinyMixture, writeTinyModel } from '../../../helpers/tiny-model.ts';

const STEPS = 20;
let folder: string;
let model: string;
let mixture: TinyMixture;
let uninterrupted: string;
const reporter = recordingReporter();

beforeAll(async () => {
  ({ folder, model, mixture } = await makeTinyTraining(STEPS * 2));
  uninterrupted = path.join(folder, 'uninterrupted');
  await finetune(tinyFinetune(model, mixture, uninterrupted), reporter);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

async function adapterValues(directory: string): Promise<Map<string, Float32Array>> {
  const { tensors } = await readAdapter(directory);
  return new Map(
    [...tensors].flatMap(([module, { A, B }]) => [
      [`${module} A`, A.data],
      [`${module} B`, B.data],
    ]),
  );
}

async function expectSameAdapter(directory: string): Promise<void> {
  const wanted = await adapterValues(uninterrupted);
  const found = await adapterValues(directory);
  expect([...found.keys()]).toEqual([...wanted.keys()]);
  for (const [name, values] of wanted) {
    expect(maximumDifference(found.get(name) as Float32Array, values), name).toBeLessThan(1e-6);
  }
}

async function expectSameCurve(directory: string): Promise<void> {
  expect(maximumDifference(await lossesIn(directory), await lossesIn(uninterrupted))).toBeLessThan(1e-5);
}

/** An output folder in which the job was asked to stop after some step. */
async function stoppedAfter(step: number): Promise<string> {
  const output = await temporaryFolder();
  await expect(finetune(tinyFinetune(model, mixture, output), recordingReporter(step))).rejects.toThrow(
    'asked to stop',
  );
  return output;
}

const checkpointFile = (output: string, step: number) =>
  path.join(output, 'checkpoints', `step-${String(step).padStart(8, '0')}.safetensors`);

describe('an uninterrupted run', () => {
  test('lowers the loss', async () => {
    const losses = await lossesIn(uninterrupted);
    expect(losses).toHaveLength(STEPS);
    expect(mean(losses.slice(-5))).toBeLessThan(mean(losses.slice(0, 5)) - 0.3);
  });

  test('reports every step and every checkpoint, and keeps the newest two', async () => {
    expect(reporter.steps).toEqual(Array.from({ length: STEPS }, (_, index) => index + 1));
    expect(reporter.checkpoints.map(({ step }) => step)).toEqual([6, 12, 18]);
    expect(
      (await readdir(path.join(uninterrupted, 'checkpoints'))).filter((name) => name.endsWith('.safetensors')),
    ).toEqual(['step-00000012.safetensors', 'step-00000018.safetensors']);
  });

  test('writes an adapter as PEFT does, with a pair for every adapted layer, and all of it trained', async () => {
    const adapter = await readAdapter(uninterrupted);
    expect(adapter.config).toMatchObject({
      peft_type: 'LORA',
      r: 4,
      lora_alpha: 8,
      lora_dropout: 0.1,
      target_modules: ['q_proj', 'v_proj', 'down_proj'],
    });
    expect([...adapter.tensors.keys()].sort()).toEqual(
      [0, 1].flatMap((layer) =>
        ['mlp.down_proj', 'self_attn.q_proj', 'self_attn.v_proj'].map(
          (name) => `language_model.model.layers.${layer}.${name}`,
        ),
      ),
    );
    for (const [module, { B }] of adapter.tensors)
      expect(
        B.data.some((value) => value !== 0),
        module,
      ).toBe(true);
  });

  test('leaves events for TensorBoard', async () => {
    const [events] = await readdir(path.join(uninterrupted, 'tensorboard'));
    const bytes = await readFile(path.join(uninterrupted, 'tensorboard', events as string));
    expect(bytes.toString('latin1')).toContain('learning rate');
  });

  test('the rate warms up and falls as the schedule says', async () => {
    const lines = (await readFile(path.join(uninterrupted, 'loss.jsonl'), 'utf8')).trim().split('\n');
    const rates = lines.map((line) => JSON.parse(line).learningRate as number);
    const { learningRate } = tinyFinetune(model, mixture, '');
    expect(rates).toEqual(rates.map((_, step) => learningRateAt(step, STEPS, learningRate)));
    expect(rates[0]).toBeCloseTo(1e-4, 8);
    expect(Math.max(...rates)).toBe(rates[4]);
    expect(rates.at(-1)).toBeLessThan(2e-4);
  });

  test('the same job gives the same run', async () => {
    const output = await temporaryFolder();
    await finetune(tinyFinetune(model, mixture, output), recordingReporter());
    await expectSameCurve(output);
    await expectSameAdapter(output);
  });
});

describe('an interrupted run', () => {
  test('aborted between two checkpoints, it writes one right away, resumes from there and ends as if never stopped', async () => {
    const output = await stoppedAfter(9);
    const resumed = recordingReporter();
    const { metrics } = await finetune(tinyFinetune(model, mixture, output), resumed);
    expect(metrics.resumedAtStep).toBe(9);
    expect(resumed.steps[0]).toBe(10);
    await expectSameCurve(output);
    await expectSameAdapter(output);
  });

  test('resumes from the last checkpoint when it was killed after it, whatever it had logged since', async () => {
    const output = await stoppedAfter(8);
    await rm(checkpointFile(output, 8));
    await writeFile(path.join(output, 'loss.jsonl'), '{"step":9,"lo', { flag: 'a' });
    const { metrics } = await finetune(tinyFinetune(model, mixture, output), recordingReporter());
    expect(metrics.resumedAtStep).toBe(6);
    await expectSameCurve(output);
    await expectSameAdapter(output);
  });

  test.each([
    { damage: 'a line too many', spoil: (file: string) => writeFile(file, '{"step":99}\n', { flag: 'a' }) },
    { damage: 'its first line changed', spoil: (file: string) => writeFile(file, '{"step":1}\n') },
    { damage: 'no file', spoil: (file: string) => rm(file) },
  ])('resumes where loss.jsonl has $damage: the checkpoint has the curve', async ({ spoil }) => {
    const output = await stoppedAfter(9);
    await spoil(path.join(output, 'loss.jsonl'));
    const { metrics } = await finetune(tinyFinetune(model, mixture, output), recordingReporter());
    expect(metrics.resumedAtStep).toBe(9);
    await expectSameCurve(output);
    await expectSameAdapter(output);
  });

  test('a checkpoint without a curve, of an earlier version, is used with loss.jsonl, and never without', async () => {
    const output = await stoppedAfter(9);
    const checkpoints = path.join(output, 'checkpoints');
    for (const name of await readdir(checkpoints)) {
      if (name.endsWith('.loss.jsonl')) await rm(path.join(checkpoints, name));
    }
    const copy = await temporaryFolder();
    await cp(output, copy, { recursive: true });
    const { metrics } = await finetune(tinyFinetune(model, mixture, output), recordingReporter());
    expect(metrics.resumedAtStep).toBe(9);
    await expectSameCurve(output);
    await rm(path.join(copy, 'loss.jsonl'));
    const reporter = recordingReporter();
    expect((await finetune(tinyFinetune(model, mixture, copy), reporter)).metrics.resumedAtStep).toBe(0);
    expect(reporter.notes).toContainEqual(expect.stringMatching(/00000009\.safetensors: damaged \(its loss curve/));
    await expectSameCurve(copy);
  });

  test('two trainers on one folder never write into one log, and the one whose log is gone does not finish', async () => {
    const output = await temporaryFolder();
    const record = (step: number) => ({ step, loss: 1 / step, learningRate: 0.1 });
    const first = await openLossLog(output, []);
    first.write(record(1));
    const second = await openLossLog(output, []);
    for (const log of [first, second]) log.write(record(2));
    await expect(first.close()).rejects.toThrow(/loss\.jsonl: another attempt's trainer has started meanwhile/);
    second.write(record(3));
    await second.close();
    expect(await readFile(path.join(output, 'loss.jsonl'), 'utf8')).toBe(
      [2, 3].map((step) => `${JSON.stringify(record(step))}\n`).join(''),
    );
  });

  test('one that has lost its fence writes nothing more: no log, checkpoint or adapter', async () => {
    const output = await temporaryFolder();
    let steps = 0;
    const fenced = recordingReporter();
    const job = finetune(tinyFinetune(model, mixture, output), {
      ...fenced,
      progress: (progress) => {
        if (progress.phase === undefined) steps = progress.step;
      },
      requireFence: () => {
        if (steps === 8) throw new Error('another attempt has started');
      },
    });
    await expect(job).rejects.toThrow('another attempt has started');
    expect(await lossesIn(output)).toHaveLength(8);
    expect((await readdir(output)).sort()).toEqual(['checkpoints', 'loss.jsonl', 'tensorboard']);
    await expect(readAdapter(output)).rejects.toMatchObject({ name: 'InputError' });
  });

  test('aborted after its last step, it ends as it would have', async () => {
    const output = await temporaryFolder();
    const { metrics } = await finetune(tinyFinetune(model, mixture, output), recordingReporter(STEPS));
    expect(metrics.loss).toBeGreaterThan(0);
    await expectSameAdapter(output);
  });

  test.each([
    { damage: 'a flipped byte', spoil: flipByte },
    { damage: 'a missing end', spoil: (file: string) => truncate(file, 1000) },
  ])('a newest checkpoint with $damage is passed over for the one before it, with a note', async ({ spoil }) => {
    const output = await stoppedAfter(9);
    await spoil(checkpointFile(output, 9));
    const resumed = recordingReporter();
    const { metrics } = await finetune(tinyFinetune(model, mixture, output), resumed);
    expect(metrics.resumedAtStep).toBe(6);
    expect(resumed.notes).toContainEqual(expect.stringMatching(/step-00000009\.safetensors: damaged/));
    await expectSameCurve(output);
  });

  test('with no whole checkpoint left it starts over', async () => {
    const output = await stoppedAfter(3);
    await truncate(checkpointFile(output, 3), 10);
    const { metrics } = await finetune(tinyFinetune(model, mixture, output), recordingReporter());
    expect(metrics.resumedAtStep).toBe(0);
    await expectSameCurve(output);
  });

  test.each([
    { what: 'another weight decay', changes: { weightDecay: 0.1 } },
    { what: 'another seed', changes: { seed: 4 } },
  ])('the checkpoint of a job with $what is not used', async ({ changes }) => {
    const output = await stoppedAfter(9);
    const other = recordingReporter(7);
    await expect(finetune(tinyFinetune(model, mixture, output, changes), other)).rejects.toThrow('asked to stop');
    expect(other.steps[0]).toBe(1);
    expect(other.notes).toContainEqual(expect.stringMatching(/step-00000009\.safetensors: belongs to another job/));
    // Its own checkpoints count from now on, although the other job's was of a later step.
    const { metrics } = await finetune(tinyFinetune(model, mixture, output, changes), recordingReporter());
    expect(metrics.resumedAtStep).toBe(7);
  });

  test('the checkpoint of a job on another base model is not used; a moved base model is the same one', async () => {
    const output = await stoppedAfter(9);
    const moved = path.join(await temporaryFolder(), 'elsewhere');
    await cp(model, moved, { recursive: true });
    const other = path.join(await temporaryFolder(), 'other');
    await writeTinyModel(other, { seed: 2 });
    const [onMoved, onOther] = [recordingReporter(10), recordingReporter(1)];
    await expect(finetune(tinyFinetune(moved, mixture, output), onMoved)).rejects.toThrow('asked to stop');
    expect(onMoved.steps).toEqual([10]);
    await expect(finetune(tinyFinetune(other, mixture, output), onOther)).rejects.toThrow('asked to stop');
    expect(onOther.steps).toEqual([1]);
  });
});

async function flipByte(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 100) ^ 0xff, bytes.length - 100);
  await writeFile(file, bytes);
}

test('on a full disk it ends naming the file, and nothing is left that would pass for an adapter', async (context) => {
  const disk = tinyDisk(48 * 1024) ?? context.skip(noTinyDisk);
  await expect(finetune(tinyFinetune(model, mixture, disk), recordingReporter())).rejects.toThrow(/the disk is full/);
  await expect(readAdapter(disk)).rejects.toMatchObject({ name: 'InputError' });
  expect((await readdir(disk, { recursive: true })).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

describe('with random parts of the images', () => {
  const changes = { augmentation: 'random-resized-crop', steps: 8, checkpointEverySteps: 3 } as const;

  test('it learns from others each time; resumed, or in parts, it ends as if uninterrupted', async () => {
    const [whole, resumed, inParts, plain] = await Promise.all([1, 2, 3, 4].map(() => temporaryFolder()));
    const run = (output = '', more = {}, stopAfter?: number) =>
      finetune(tinyFinetune(model, mixture, output, { ...changes, ...more }), recordingReporter(stopAfter));
    await run(whole);
    await expect(run(resumed, {}, 5)).rejects.toThrow('asked to stop');
    await run(resumed);
    const noDropout = { lora: { rank: 4, alpha: 8, dropout: 0, targetModules: ['q_proj'] } };
    await run(inParts, { ...noDropout, microBatchSize: 1 });
    await run(plain, noDropout);
    expect(maximumDifference(await lossesIn(resumed as string), await lossesIn(whole as string))).toBeLessThan(1e-5);
    expect(maximumDifference(await lossesIn(inParts as string), await lossesIn(plain as string))).toBeLessThan(1e-4);
    expect(await lossesIn(whole as string)).not.toEqual((await lossesIn(uninterrupted)).slice(0, 8));
  });
});

describe('starting from an adapter', () => {
  const still = { initial: 0, peak: 1e-9, final: 0, warmupSteps: 1 };

  test('training starts at its values', async () => {
    const output = await temporaryFolder();
    const job = tinyFinetune(model, mixture, output, { startAdapter: uninterrupted, steps: 1, learningRate: still });
    await finetune(job, recordingReporter());
    await expectSameAdapter(output);
  });

  test('an adapter of another rank or of other modules is refused by name', async () => {
    const other = tinyFinetune(model, mixture, '').lora;
    const start = async (lora: Partial<typeof other>) =>
      finetune(
        tinyFinetune(model, mixture, await temporaryFolder(), {
          startAdapter: uninterrupted,
          lora: { ...other, ...lora },
        }),
        recordingReporter(),
      );
    await expect(start({ rank: 2 })).rejects.toThrow(/adapter_config\.json: r: is 4, but finetune\.lora\.rank is 2/);
    await expect(start({ targetModules: ['q_proj'] })).rejects.toThrow(/target_modules: differs .*v_proj/);
  });
});
