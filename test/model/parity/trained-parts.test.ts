/**
 * Three steps with PEFT and `torch.optim.AdamW` of all that may be trained, and what PEFT merges of it:
 * `test/fixtures/make-trained-parts-fixture.py` recorded them.
 */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { imageEntryOf } from '../../../src/config/lora-schema.ts';
import { familyOf } from '../../../src/model/families/index.ts';
import { readAdapter } from '../../../src/model/files/adapter.ts';
import { openSafetensors } from '../../../src/model/files/safetensors.ts';
import { runEagerly } from '../../../src/model/ops/eager-ops.ts';
import { Tape } from '../../../src/model/ops/tape.ts';
import { batchShape, collate } from '../../../src/trainer/jobs/batch.ts';
import { readStartAdapter, saveAdapter } from '../../../src/trainer/jobs/finetune/adapter-files.ts';
import { finetuneProgram } from '../../../src/trainer/jobs/finetune/finetune-program.ts';
import { trainedShapes } from '../../../src/trainer/jobs/finetune/lora.ts';
import { mergedTensors } from '../../../src/trainer/jobs/merge/merged-tensors.ts';
import { maximumDifference, recordingReporter } from '../../helpers/jobs.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { trainedParts } from '../../helpers/trained-parts.ts';
import { openFixture, readFeed, relativeDifference, weightsAmong } from './compare.ts';

const STEPS = 3;
/** Where the images of the three samples start. */
const IMAGE_STARTS = [3, 2, 4];

describe.each(trainedParts)('$model, $name', ({ model: name, folder, lora, trainable }) => {
  test("three steps: losses and all that is trained are PEFT's", async () => {
    const { model, weights, imageTokens, close } = await openFixture(name);
    const recorded = await openSafetensors(path.join(folder, 'expected.safetensors'));
    const family = familyOf(model.config);
    const samples = await Promise.all(
      IMAGE_STARTS.map(async (imageStart, index) => {
        const tokenIds = [...(await recorded.read(`sample.${index}`))];
        const [learned] = await recorded.read(`learned.${index}`);
        return { tokenIds, imageStart, answerStart: tokenIds.length - (learned as number) };
      }),
    );
    const pixels = await readFeed(recorded, 'pixel_values');
    const entered = {
      pixels: () => pixels.data as Float32Array,
      features: () => {
        const compute = (ops: never, inputs: Record<string, unknown>) => ({
          rows: family.visionFeatures(new Tape(ops), weightsAmong(inputs), inputs.pixels as never).value,
        });
        return runEagerly(compute as never, { ...weights, pixels }).rows as Float32Array;
      },
      embeddings: () => {
        const compute = (ops: never, inputs: Record<string, unknown>) => {
          const [tape, among] = [new Tape(ops), weightsAmong(inputs)];
          return {
            rows: family.project(tape, among, family.visionFeatures(tape, among, inputs.pixels as never)).value,
          };
        };
        return runEagerly(compute as never, { ...weights, pixels }).rows as Float32Array;
      },
    };
    const images = entered[imageEntryOf({ lora, trainable })]();
    const batches = Array.from({ length: STEPS }, (_, step) => [step % 3, (step + 1) % 3].map((one) => samples[one]));
    const sequences = batches as (typeof samples)[];
    const program = await finetuneProgram(model, lora, sequences.map(batchShape), {
      weightDecay: 0.05,
      seed: 1,
      trainable,
      start: await readStartAdapter(
        path.join(folder, 'start'),
        lora,
        trainedShapes(model.config, { lora, trainable }),
        family.publishedName,
      ),
    });
    const losses = sequences.map((chosen, step) => {
      const shape = batchShape(chosen);
      return program.step({ shape, batch: collate(chosen, shape, imageTokens), images, step, learningRate: 1e-3 });
    });
    const output = await temporaryFolder();
    await saveAdapter(output, { lora, model: name, config: model.config }, program.layout, program.read().parameters);
    program.dispose();

    const wanted = await recorded.read('losses');
    losses.forEach((loss, step) =>
      expect(Math.abs(loss - (wanted[step] as number)), `step ${step + 1}`).toBeLessThan(1e-4),
    );
    const [ours, theirs] = await Promise.all(
      [output, path.join(folder, 'end')].map((one) => openSafetensors(path.join(one, 'adapter_model.safetensors'))),
    );
    if (!ours || !theirs) throw new Error('no adapters');
    expect([...ours.tensors.keys()].sort()).toEqual([...theirs.tensors.keys()].sort());
    for (const tensor of theirs.tensors.keys()) {
      expect(maximumDifference(await ours.read(tensor), await theirs.read(tensor)), tensor).toBeLessThan(1e-4);
    }
    const [{ config, ...written }, { config: theirConfig }] = [
      await readAdapter(output, family.publishedName),
      await readAdapter(path.join(folder, 'end'), family.publishedName),
    ];
    expect(config.modules_to_save ?? null).toEqual(theirConfig.modules_to_save);
    expect(written.tensors.size * (lora.dora ? 3 : 2) + written.saved.size).toBe(theirs.tensors.size);
    await Promise.all([recorded.close(), ours.close(), theirs.close(), close()]);
  });

  test("merged, all weights are those of PEFT's `merge_and_unload`", async () => {
    const { model, close } = await openFixture(name);
    const recorded = await openSafetensors(path.join(folder, 'expected.safetensors'));
    const { publishedName } = familyOf(model.config);
    const directory = path.join(folder, 'end');
    const adapter = await readAdapter(directory, publishedName);
    const { tensors } = mergedTensors(model, adapter, { adapter: directory }, recordingReporter());
    const prefix = 'merged.';
    const changed = [...recorded.tensors.keys()].filter((tensor) => tensor.startsWith(prefix));
    const theirs = new Map(changed.map((tensor) => [publishedName(tensor.slice(prefix.length)), tensor]));
    expect(theirs.size).toBe(adapter.tensors.size + adapter.saved.size);
    for (const { name: tensor, data } of tensors) {
      const merged = theirs.get(tensor);
      if (merged === undefined) continue;
      const values = typeof data === 'function' ? await data() : data;
      const wanted = await recorded.read(merged);
      expect(relativeDifference(values as Float32Array, wanted), tensor).toBeLessThan(1e-5);
    }
    expect([...theirs.keys()].filter((tensor) => !tensors.some((one) => one.name === tensor))).toEqual([]);
    await Promise.all([recorded.close(), close()]);
  });
});
