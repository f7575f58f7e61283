import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ModelConfig, modelConfigSchema } from '../../../src/model/families/index.ts';
import { headSize } from '../../../src/model/files/llama.ts';
import { readModelConfig, toConfigJson } from '../../../src/model/files/model-config.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const tinyModel = fileURLToPath(new URL('../../fixtures/tiny-blip2/', import.meta.url));
type Json = Record<string, unknown>;
interface ConfigJson extends Json {
  vision_config: Json;
  qformer_config: Json;
  text_config: Json;
}

/** The config of the fixture with some settings of `text_config` replaced; undefined takes one away. */
let fixture: ConfigJson;
const withText = (changes: Json): ConfigJson => ({ ...fixture, text_config: { ...fixture.text_config, ...changes } });
beforeEach(async () => {
  fixture = JSON.parse(await readFile(path.join(tinyModel, 'config.json'), 'utf8')) as ConfigJson;
});

async function read(content: unknown): Promise<ModelConfig> {
  const directory = await temporaryFolder();
  await writeFile(path.join(directory, 'config.json'), JSON.stringify(content));
  return readModelConfig(directory);
}

const llama3 = {
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 32,
};

describe('the config of a model', () => {
  it('is read as transformers writes it, and unknown keys are kept', async () => {
    const config = await readModelConfig(tinyModel);
    expect(config).toMatchObject({
      num_query_tokens: 4,
      image_token_index: 3,
      vision_config: { hidden_size: 24, image_size: 28, patch_size: 7, qkv_bias: true },
      qformer_config: { hidden_size: 16, cross_attention_frequency: 2, encoder_hidden_size: 24 },
      text_config: { hidden_size: 32, num_key_value_heads: 2, rope_theta: 10000, tie_word_embeddings: false },
      image_text_hidden_size: 256,
    });
    expect(config.text_config.rope_scaling).toBeUndefined();
    expect(headSize(config.text_config)).toBe(8);
  });

  it('takes the positions of transformers 5 and of earlier versions alike', async () => {
    const newer = withText({ rope_parameters: { ...llama3, rope_theta: 500000 } });
    const older = withText({ rope_parameters: undefined, rope_theta: 500000, rope_scaling: llama3 });
    const oldest = withText({ rope_parameters: undefined, rope_scaling: { type: 'linear', factor: 2 } });
    for (const content of [newer, older]) {
      expect((await read(content)).text_config).toMatchObject({ rope_theta: 500000, rope_scaling: llama3 });
    }
    expect((await read(oldest)).text_config.rope_scaling).toEqual({ rope_type: 'linear', factor: 2 });
  });

  it('fills in what transformers would', async () => {
    const { text_config, vision_config, ...rest } = await read({
      model_type: 'blip-2',
      vision_config: {},
      qformer_config: {},
      text_config: { model_type: 'llama', num_attention_heads: 16 },
    });
    expect(text_config).toMatchObject({ hidden_size: 4096, num_key_value_heads: 16, rms_norm_eps: 1e-6 });
    expect(vision_config).toMatchObject({ hidden_size: 1408, num_hidden_layers: 39, qkv_bias: true });
    expect(rest).toMatchObject({ num_query_tokens: 32, qformer_config: { cross_attention_frequency: 2 } });
  });

  it('is written so that reading gives the same config', async () => {
    for (const content of [fixture, withText({ rope_parameters: { ...llama3, rope_theta: 500000 } })]) {
      const config = modelConfigSchema.parse(content);
      expect(modelConfigSchema.parse(JSON.parse(toConfigJson(config, 'F32')))).toMatchObject(config);
    }
  });

  it('is written with a decimal point where Python wants a float', () => {
    const config = modelConfigSchema.parse(withText({ rope_parameters: { ...llama3, rope_theta: 500000 } }));
    const text = toConfigJson(config, 'F16');
    expect(text).toContain('"initializer_factor": 1.0,');
    expect(text).toContain('"rope_theta": 500000.0');
    expect(text).toContain('"low_freq_factor": 1.0');
    expect(text).toContain('"num_query_tokens": 4,');
    expect(text).toContain('"dtype": "float16"');
  });
});

describe('a config that this model cannot have', () => {
  it.each<[string, string, () => unknown]>([
    ['another family', 'model_type', () => ({ ...fixture, model_type: 'qwen2_vl' })],
    ['another language model', 'text_config.model_type', () => withText({ model_type: 'opt' })],
    ['biases in the language model', 'text_config.attention_bias', () => withText({ attention_bias: true })],
    [
      'unknown positions',
      'text_config.rope_parameters.rope_type',
      () => withText({ rope_parameters: { rope_type: 'yarn' } }),
    ],
    ['heads that do not divide', 'text_config.num_key_value_heads', () => withText({ num_key_value_heads: 3 })],
    [
      'half a patch',
      'vision_config.image_size',
      () => ({ ...fixture, vision_config: { ...fixture.vision_config, image_size: 30 } }),
    ],
    [
      'parts that do not fit',
      'qformer_config.encoder_hidden_size',
      () => ({ ...fixture, qformer_config: { ...fixture.qformer_config, encoder_hidden_size: 32 } }),
    ],
    ['a missing part', 'vision_config', () => ({ ...fixture, vision_config: undefined })],
  ])('is named: %s', async (_, field, content) => {
    await expect(read(content())).rejects.toMatchObject({ name: 'InputError', field });
  });
});
