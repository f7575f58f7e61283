/** A LoRA checkpoint of the reference system as an adapter (`test/fixtures/make-lora-checkpoint-fixture.py`). */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { pythonOfSetup } from '../../../../src/core/setup-file.ts';
import { importLora } from '../../../../src/model/families/minigpt4/lora-checkpoint.ts';
import { readAdapter } from '../../../../src/model/files/adapter.ts';
import { readModelDirectory } from '../../../../src/model/files/model-directory.ts';
import { openSafetensors, type TensorToWrite, writeSafetensors } from '../../../../src/model/files/safetensors.ts';
import { mergedWeight } from '../../../../src/trainer/jobs/merge/merged-tensors.ts';
import { maximumDifference } from '../../../helpers/jobs.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';

const fixtures = path.join(import.meta.dirname, '../../../fixtures');
const noPython = async () => {
  throw new Error('Python was asked for');
};

const tensor = (name: string, shape: number[]): TensorToWrite => ({
  name,
  shape,
  data: Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, index) => index / 100),
});
const Q = 'llama_model.model.layers.0.self_attn.q_proj';
const pair = [tensor(`${Q}.lora_A.weight`, [2, 8]), tensor(`${Q}.lora_B.weight`, [8, 2])];

async function imported(tensors: TensorToWrite[], scale = 2) {
  const folder = await temporaryFolder();
  const checkpoint = path.join(folder, 'checkpoint.safetensors');
  await writeSafetensors(checkpoint, tensors);
  const output = path.join(folder, 'adapter');
  return { output, result: await importLora({ checkpoint, output, scale }, noPython) };
}

describe('a LoRA checkpoint of the reference system', () => {
  test('becomes a PEFT adapter of the language model, without what is saved along', async () => {
    const { output, result } = await imported([
      ...pair,
      tensor('llama_proj.weight', [8, 4]),
      tensor('llama_proj.bias', [8]),
      tensor('llama_model.model.layers.0.self_attn.rotary_emb.inv_freq', [4]),
      tensor('Qformer.bert.embeddings.position_ids', [1, 8]),
    ]);
    expect(result).toEqual({ modules: 1, rank: 2, alpha: 4 });
    const { config, tensors } = await readAdapter(output);
    expect(config).toMatchObject({ r: 2, lora_alpha: 4, target_modules: ['q_proj'], peft_type: 'LORA' });
    expect([...tensors.keys()]).toEqual(['language_model.model.layers.0.self_attn.q_proj']);
    expect(tensors.values().next().value).toMatchObject({ scaling: 2, A: { data: pair[0]?.data } });
  });

  test('has the scale of its training', async () => {
    const { output } = await imported(pair, 0.5);
    const { tensors } = await readAdapter(output);
    expect([...tensors.values()].map(({ scaling }) => scaling)).toEqual([0.5]);
  });

  test.each([
    ['whose factor is missing', [pair[0] as TensorToWrite], `${Q}.lora_B.weight: is missing`],
    [
      'of two ranks',
      [...pair, tensor(`${Q}_2.lora_A.weight`, [3, 8]), tensor(`${Q}_2.lora_B.weight`, [8, 3])],
      `${Q}_2.lora_A.weight: has shape [3, 8], the rank of the others is 2`,
    ],
    ['with a trained Q-Former', [...pair, tensor('query_tokens', [1, 4])], 'query_tokens: is no LoRA factor'],
    ['of stage 1', [tensor('llama_proj.weight', [8, 4])], 'holds no LoRA weights'],
  ])('%s is refused by name', async (_, tensors, message) => {
    const failure = await imported(tensors).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'InputError', message: expect.stringContaining(message) });
  });
});

const python = await pythonOfSetup('python').catch(() => undefined);
describe.skipIf(python === undefined)('its .pth (needs `dataengine setup --python`)', { timeout: 600_000 }, () => {
  const official = path.join(fixtures, 'official-checkpoints');

  test("merges into the same weights as the reference's own merge", async () => {
    const output = path.join(await temporaryFolder(), 'adapter');
    const checkpoint = path.join(official, 'checkpoint_9.pth');
    const result = await importLora({ checkpoint, output, scale: 2 }, () => pythonOfSetup('python'));
    expect(result).toEqual({ modules: 4, rank: 4, alpha: 8 });
    const { tensors } = await readAdapter(output);
    const base = await readModelDirectory(path.join(fixtures, 'tiny-blip2'));
    const expected = await openSafetensors(path.join(official, 'lora-merged.safetensors'));
    expect([...tensors.keys()].map((module) => `${module}.weight`).toSorted()).toEqual(
      [...expected.tensors.keys()].toSorted(),
    );
    for (const [module, factors] of tensors) {
      const merged = mergedWeight(await base.read(`${module}.weight`), factors);
      expect(maximumDifference(merged, await expected.read(`${module}.weight`)), module).toBeLessThan(1e-6);
    }
    await Promise.all([base.close(), expected.close()]);
  });

  test('that would run code is refused, and nothing is run', async () => {
    const output = path.join(await temporaryFolder(), 'adapter');
    const harmful = path.join(official, 'harmful.pth');
    const importing = importLora({ checkpoint: harmful, output, scale: 2 }, () => pythonOfSetup('python'));
    await expect(importing).rejects.toThrow(/harmful\.pth: PyTorch can't read it: Weights only load failed/);
    await expect(access('code-of-a-checkpoint-was-run')).rejects.toThrow();
    await expect(access(output)).rejects.toThrow();
  });
});
