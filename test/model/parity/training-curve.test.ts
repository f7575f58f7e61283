/**
 * Twenty steps of LoRA training against PEFT and `torch.optim.AdamW`, with the reference system's schedule:
 * `test/fixtures/make-curve-fixture.py` recorded them.
 */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { familyOf, imageEmbeddings } from '../../../src/model/families/index.ts';
import { openSafetensors } from '../../../src/model/files/safetensors.ts';
import { runEagerly } from '../../../src/model/ops/eager-ops.ts';
import { Tape } from '../../../src/model/ops/tape.ts';
import { batchShape, collate } from '../../../src/trainer/jobs/batch.ts';
import { finetuneProgram } from '../../../src/trainer/jobs/finetune/finetune-program.ts';
import { learningRateAt } from '../../../src/trainer/jobs/finetune/optimizer.ts';
import { FIXTURES, openFixture, readFeed, relativeDifference, weightsAmong } from './compare.ts';

const STEPS = 20;
const schedule = { initial: 1e-6, peak: 1e-2, final: 1e-5, warmupSteps: 5 };
const WEIGHT_DECAY = 0.05;
/** Where the images of the three samples start. */
const IMAGE_STARTS = [3, 2, 4];

describe.each(['tiny-blip2', 'tiny-llava'])('%s', (folder) => {
  test("loss, learning rate and trained adapter follow PyTorch's", async () => {
    const { model, weights, imageTokens, close } = await openFixture(folder);
    const recorded = await openSafetensors(path.join(FIXTURES, 'curves', `${folder}.safetensors`));
    const family = familyOf(model.config);
    const { moduleName } = family;
    const samples = await Promise.all(
      IMAGE_STARTS.map(async (imageStart, index) => {
        const tokenIds = [...(await recorded.read(`sample.${index}`))];
        const [learned] = await recorded.read(`learned.${index}`);
        return { tokenIds, imageStart, answerStart: tokenIds.length - (learned as number) };
      }),
    );
    const { images } = runEagerly(
      (ops, inputs) => ({
        images: imageEmbeddings(family, new Tape(ops), weightsAmong(inputs), inputs.pixels as never).value,
      }),
      { ...weights, pixels: await readFeed(recorded, 'pixel_values') },
    );
    const batches = Array.from({ length: STEPS }, (_, step) => [step % 3, (step + 1) % 3].map((one) => samples[one]));
    const sequences = batches as (typeof samples)[];
    const lora = { rank: 4, alpha: 8, dropout: 0, targetModules: ['q_proj', 'k_proj', 'v_proj', 'down_proj'] };
    const program = await finetuneProgram(model, lora, sequences.map(batchShape), {
      weightDecay: WEIGHT_DECAY,
      seed: 1,
    });
    const read = async (kind: string) => {
      const flat = new Float32Array(program.layout.total);
      let offset = 0;
      for (const name of program.layout.names) {
        const [module, factor] = name.split(/\.(?=lora_[AB]$)/) as [string, string];
        const values = await recorded.read(`${kind}.base_model.model.${moduleName(module)}.${factor}.weight`);
        flat.set(values, offset);
        offset += values.length;
      }
      return flat;
    };
    program.write({ ...program.read(), parameters: await read('initial') });

    const rates = Array.from({ length: STEPS }, (_, step) => learningRateAt(step, STEPS, schedule));
    const losses = sequences.map((chosen, step) => {
      const shape = batchShape(chosen);
      const batch = collate(chosen, shape, imageTokens);
      return program.step({
        shape,
        batch,
        images: images as Float32Array,
        step,
        learningRate: rates[step] as number,
      });
    });
    const { parameters } = program.read();
    program.dispose();

    expect(relativeDifference(rates, await recorded.read('learning_rates'))).toBeLessThan(1e-6);
    const wanted = await recorded.read('losses');
    expect(wanted[STEPS - 1] as number).toBeLessThan((wanted[0] as number) - 0.5);
    losses.forEach((loss, step) =>
      expect(Math.abs(loss - (wanted[step] as number)), `step ${step + 1}`).toBeLessThan(1e-3),
    );
    expect(relativeDifference(parameters, await read('final'))).toBeLessThan(1e-3);
    await Promise.all([recorded.close(), close()]);
  });
});
