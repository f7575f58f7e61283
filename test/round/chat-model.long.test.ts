/**
 * A round with a model that is none of the built-in families: what PyTorch's trainer is given, and what it leaves to the next
 * steps.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { classify } from '../../src/round/classify/classify.ts';
import { embed } from '../../src/round/embed/embed.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { gate } from '../../src/round/gate/gate.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { sample } from '../../src/round/sample/sample.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { TORCH_TIMEOUTS, torchIsSetUp, torchPython } from '../trainer/torch/torch-jobs.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

vi.setConfig(TORCH_TIMEOUTS);

test.skipIf(!torchIsSetUp)('a Qwen2.5-VL completes a round, and its bad cases are used in the next one', async () => {
  const folder = await temporaryFolder();
  const model = join(folder, 'model');
  await torchPython('make-chat-model.py', 'qwen2_5_vl', model);
  const file = await writeTinyRun(folder, (config) => ({
    ...config,
    model: { path: model },
    trainer: 'torchrun',
    processes: 2,
    sharding: 'fsdp',
    finetune: { ...config.finetune, stepsPerEpoch: 4, learningRate: { warmupSteps: 1 } },
  }));
  const context = await tinyContext(file, { trainer: undefined });

  expect(await finetune(context)).toMatchObject({ samples: 28, steps: 4 });
  expect(await merge(context)).toMatchObject({ parity: expect.closeTo(0, 3) });
  expect(await evaluate(context)).toMatchObject({ questions: 8 });
  await classify(context);
  await gate(context);
  expect(await embed({ ...context, round: 1 })).toMatchObject({ images: 24 + 8 });
  expect(await sample({ ...context, round: 1 })).toMatchObject({ requests: 6 });

  const samples = await readFile(join(context.run.root, 'round-0/finetune/mixture/samples.jsonl'), 'utf8');
  const prompts = samples.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line).prompt]));
  expect(prompts).toContain('What color is the image?\n(A) red (B) green (C) blue (D) yellow\n');
  expect(await finetune(context)).toMatchObject({ reused: true });

  const tensorflow = { ...context, config: { ...context.config, trainer: 'tensorflow' as const } };
  await expect(finetune(tensorflow)).rejects.toThrow(/config\.json.*other models need trainer: torchrun/);
});
