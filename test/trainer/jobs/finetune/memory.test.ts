/** TensorFlow's memory is out of the garbage collector's sight: what is not freed by hand is never freed. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { familyOf } from '../../../../src/model/families/index.ts';
import { readModelDirectory } from '../../../../src/model/files/model-directory.ts';
import { EagerOps } from '../../../../src/model/ops/eager-ops.ts';
import { nativeBinding } from '../../../../src/model/ops/tensorflow.ts';
import { batchShape, collate } from '../../../../src/trainer/jobs/batch.ts';
import { finetuneProgram } from '../../../../src/trainer/jobs/finetune/finetune-program.ts';
import type { Sequence } from '../../../../src/trainer/jobs/sequence.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { writeTinyModel } from '../../../helpers/tiny-model.ts';

const held = () => nativeBinding().getNumOfTensors();

test('two hundred training steps leave no tensor behind, nor does the program when it is disposed', async () => {
  const directory = path.join(await temporaryFolder(), 'model');
  await writeTinyModel(directory);
  const model = await readModelDirectory(directory);
  const before = held();
  try {
    const tokenIds = Array.from({ length: 12 }, (_, index) => index + 4);
    const sequences: Sequence[] = [{ tokenIds, imageStart: 2, answerStart: 8 }];
    const shape = batchShape(sequences);
    const lora = { rank: 2, alpha: 4, dropout: 0.1, targetModules: ['q_proj'] };
    const program = await finetuneProgram(model, lora, [shape], { weightDecay: 0, seed: 1 });
    const queries = familyOf(model.config).imageTokens;
    const batch = collate(sequences, shape, queries);
    const images = new Float32Array(queries * model.config.text_config.hidden_size);
    const train = (step: number) => program.step({ shape, batch, images, step, learningRate: 1e-3 });
    train(0);
    const afterFirst = held();
    for (let step = 1; step <= 200; step++) train(step);
    expect(held()).toBe(afterFirst);
    program.write(program.read());
    expect(held()).toBe(afterFirst);
    program.dispose();
    expect(held()).toBe(before);
  } finally {
    await model.close();
  }
});

test('single operations are freed together', () => {
  const before = held();
  const ops = new EagerOps();
  let value = ops.constant(Float32Array.of(1, 2, 3, 4), [2, 2]);
  for (let index = 0; index < 20; index++) value = ops.matMul(ops.softmax(value), value, { transposeB: true });
  expect(held()).toBeGreaterThan(before + 20);
  ops.dispose();
  expect(held()).toBe(before);
});
