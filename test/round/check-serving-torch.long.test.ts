/** The step `check-serving` with a family of transformers whose images are held to limits, by the real trainer, engine and server. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { checkServing } from '../../src/round/check-serving/check-serving.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { TORCH_TIMEOUTS, torchIsSetUp, torchPython } from '../trainer/torch/torch-jobs.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

vi.setConfig(TORCH_TIMEOUTS);

test.skipIf(!torchIsSetUp)('with model.image, base and adapter see the images that the merged model sees', async () => {
  const folder = await temporaryFolder();
  const model = join(folder, 'model');
  await torchPython('make-chat-model.py', 'qwen2_5_vl', model);
  // One token an image; without the limits an image has more.
  const image = { minPixels: 256, maxPixels: 256 };
  const file = await writeTinyRun(folder, (config) => ({
    ...config,
    model: { path: model, image },
    trainer: 'torchrun',
    finetune: { ...config.finetune, stepsPerEpoch: 4, learningRate: { warmupSteps: 1 } },
    gate: { serving: { questions: 4, maximumTokens: 6 } },
  }));
  const context = await tinyContext(file, { trainer: undefined });
  await finetune(context);
  await merge(context);
  expect(await checkServing(context)).toMatchObject({ questions: 4, reused: false });
  const result = join(context.run.root, 'round-0/check-serving');
  const { comparisons } = JSON.parse(await readFile(join(result, 'comparison.json'), 'utf8'));
  const same = { compared: 'losses and texts', questions: 4, sameChoices: 4 };
  expect(comparisons).toEqual([expect.objectContaining(same), expect.objectContaining(same)]);

  await rm(result, { recursive: true });
  const { image: _, ...unlimited } = context.config.model;
  const other = { ...context, config: { ...context.config, model: unlimited } };
  await expect(checkServing(other)).rejects.toMatchObject({
    name: 'InputError',
    problem: expect.stringMatching(/of base \+ adapter and .* of the merged model/),
  });
});
