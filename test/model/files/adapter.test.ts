import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { readAdapter, writeAdapter } from '../../../src/model/files/adapter.ts';
import { openSafetensors, writeSafetensors } from '../../../src/model/files/safetensors.ts';
import { copyWith } from '../../helpers/copy-with.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const fixture = fileURLToPath(new URL('../../fixtures/tiny-blip2-adapter/', import.meta.url));
let directory: string;
beforeEach(async () => {
  directory = path.join(await temporaryFolder(), 'adapter');
});

async function changedAdapter(changes: Record<string, unknown>): Promise<string> {
  await copyWith(fixture, directory, 'adapter_config.json', (settings) => ({ ...settings, ...changes }));
  return directory;
}

describe('an adapter', () => {
  it('is read as PEFT saves it', async () => {
    const { config, tensors } = await readAdapter(fixture);
    expect(config).toMatchObject({ r: 4, lora_alpha: 8, lora_dropout: 0, task_type: 'CAUSAL_LM' });
    expect(config.target_modules).toEqual(['down_proj', 'k_proj', 'q_proj', 'v_proj']);
    expect([...tensors].map(([module, { A, B }]) => [module, A.shape, B.shape])).toContainEqual([
      'language_model.model.layers.1.self_attn.k_proj',
      [4, 32],
      [16, 4],
    ]);
    expect(tensors.size).toBe(8);
  });

  it('is written so that PEFT finds the same tensors under the same names', async () => {
    const adapter = await readAdapter(fixture);
    await writeAdapter(directory, adapter);
    const [theirs, ours] = await Promise.all(
      [fixture, directory].map((at) => openSafetensors(path.join(at, 'adapter_model.safetensors'))),
    );
    if (!theirs || !ours) throw new Error('not opened');
    expect(ours.metadata).toEqual(theirs.metadata);
    expect([...ours.tensors.keys()].toSorted()).toEqual([...theirs.tensors.keys()].toSorted());
    for (const name of theirs.tensors.keys()) expect(await ours.read(name)).toEqual(await theirs.read(name));
    await Promise.all([theirs.close(), ours.close()]);
    expect(await readAdapter(directory)).toEqual(adapter);
  });

  it("has PEFT's defaults where nothing is given, and a dropout that Python reads as a float", async () => {
    const { tensors } = await readAdapter(fixture);
    await writeAdapter(directory, { config: { r: 4, lora_alpha: 16, target_modules: ['q_proj'] }, tensors });
    const text = await readFile(path.join(directory, 'adapter_config.json'), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ peft_type: 'LORA', bias: 'none', task_type: 'CAUSAL_LM', lora_alpha: 16 });
    expect(text).toContain('"lora_dropout": 0.0');
  });
});

describe('an adapter that is not plain LoRA', () => {
  it.each([
    ['peft_type', 'IA3'],
    ['bias', 'all'],
    ['use_bdlora', { nblocks: 2 }],
    ['modules_to_save', ['lm_head']],
    ['layer_replication', [[0, 1]]],
  ])('is refused by the name of the setting: %s', async (setting, value) => {
    await expect(readAdapter(await changedAdapter({ [setting]: value }))).rejects.toMatchObject({
      name: 'InputError',
      field: setting,
    });
  });

  it('reports that a setting is not supported', async () => {
    await expect(readAdapter(await changedAdapter({ use_qalora: true }))).rejects.toThrow(
      'use_qalora: is not supported',
    );
    await expect(readAdapter(await changedAdapter({ bias: 'all' }))).rejects.toThrow('bias: is not supported');
  });
});

describe('an adapter that has less than its config says', () => {
  it('names the tensor', async () => {
    await expect(readAdapter(await changedAdapter({ use_dora: true }))).rejects.toThrow(
      'lora_magnitude_vector: is missing',
    );
    await expect(readAdapter(await changedAdapter({ modules_to_save: ['multi_modal_projector'] }))).rejects.toThrow(
      'multi_modal_projector: is saved whole',
    );
  });
});

describe('a damaged adapter', () => {
  it('names the tensor that is missing, unexpected, or of another rank', async () => {
    const tensor = (name: string, shape: number[]) => ({
      name,
      shape,
      data: new Float32Array(shape.reduce((a, b) => a * b)),
    });
    const file = path.join(await changedAdapter({}), 'adapter_model.safetensors');
    const [A, B] = ['base_model.model.x.q_proj.lora_A.weight', 'base_model.model.x.q_proj.lora_B.weight'] as const;

    await writeSafetensors(file, [tensor(A, [4, 8])]);
    await expect(readAdapter(directory)).rejects.toThrow(`${B}: is missing`);
    await writeSafetensors(file, [tensor(A, [4, 8]), tensor(B, [8, 4]), tensor('base_model.model.x.bias', [8])]);
    await expect(readAdapter(directory)).rejects.toThrow('base_model.model.x.bias: is no factor of a LoRA pair');
    await writeSafetensors(file, [tensor(A, [2, 8]), tensor(B, [8, 2])]);
    await expect(readAdapter(directory)).rejects.toThrow(`${A}: has shape [2, 8]`);
  });
});
