/**
 * Sizes that no model has are refused by name, before lists of layers or positions are made of them.
 */
import { execFileSync } from 'node:child_process';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../../src/core/input-error.ts';
import { readAdapterConfig } from '../../../src/model/files/adapter-config.ts';
import { readClipDirectory } from '../../../src/model/files/clip.ts';
import { copyCompanionFiles } from '../../../src/model/files/companion-files.ts';
import { readLlamaDirectory } from '../../../src/model/files/llama.ts';
import { readModelConfig } from '../../../src/model/files/model-config.ts';
import { openSafetensors } from '../../../src/model/files/safetensors.ts';
import { readPreprocessorConfig } from '../../../src/model/images/processor-config.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

async function directoryWith(name: string, content: unknown): Promise<string> {
  const directory = await temporaryFolder();
  await writeFile(join(directory, name), JSON.stringify(content));
  return directory;
}

const huge = 1e9;
const sizesOfText = [
  ...['hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads', 'num_key_value_heads'],
  ...['head_dim', 'vocab_size'],
];
const sizesOfVision = [
  ...['hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads', 'image_size', 'patch_size'],
];
const parts: [family: string, part: string, fields: string[]][] = [
  ['llava', 'text_config', sizesOfText],
  ['llava', 'vision_config', [...sizesOfVision, 'projection_dim']],
  ['blip-2', 'text_config', sizesOfText],
  ['blip-2', 'vision_config', sizesOfVision],
  ['blip-2', 'qformer_config', ['num_hidden_layers', 'cross_attention_frequency', 'encoder_hidden_size']],
];
const places = parts.flatMap(([family, part, fields]) => fields.map((field) => [family, part, field] as const));

function configOf(family: string): Record<string, object> {
  const both = { text_config: { model_type: 'llama' }, vision_config: {} };
  return family === 'llava' ? both : { ...both, qformer_config: {} };
}

test.each(places)('of %s: %s.%s', async (family, part, field) => {
  const config = configOf(family);
  const directory = await directoryWith('config.json', {
    model_type: family,
    ...config,
    [part]: { ...config[part], [field]: huge },
  });
  const failure = await readModelConfig(directory).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(InputError);
  expect(failure).toMatchObject({
    file: join(directory, 'config.json'),
    field: `${part}.${field}`,
    problem: expect.stringContaining('must be at most'),
  });
});

test('of models that are whole configs of their own', async () => {
  const layers = { num_hidden_layers: huge };
  const language = await directoryWith('config.json', { model_type: 'llama', ...layers });
  await expect(readLlamaDirectory(language)).rejects.toThrow('config.json: num_hidden_layers: must be at most');
  const clip = await directoryWith('config.json', { model_type: 'clip', vision_config: layers });
  await expect(readClipDirectory(clip)).rejects.toThrow(
    'config.json: vision_config.num_hidden_layers: must be at most',
  );
});

test('of an image processor and of an adapter', async () => {
  const processor = { image_processor_type: 'CLIPImageProcessor', crop_size: huge };
  const images = await directoryWith('preprocessor_config.json', processor);
  await expect(readPreprocessorConfig(images)).rejects.toThrow('preprocessor_config.json: crop_size');
  const adapter = { peft_type: 'LORA', r: huge, lora_alpha: 1, target_modules: ['q_proj'] };
  const file = join(await directoryWith('adapter_config.json', adapter), 'adapter_config.json');
  await expect(readAdapterConfig(file)).rejects.toThrow('adapter_config.json: r: must be at most');
});

describe("a model's file", () => {
  test('of settings has at most 16 MiB', async () => {
    const directory = await directoryWith('config.json', {});
    await truncate(join(directory, 'config.json'), 2 ** 25);
    await expect(readModelConfig(directory)).rejects.toThrow('config.json: has 33554432 bytes');
  });

  test('beside its weights is no pipe', async () => {
    const directory = await directoryWith('config.json', {});
    execFileSync('mkfifo', [join(directory, 'LICENSE')]);
    await expect(copyCompanionFiles(directory, await temporaryFolder())).rejects.toThrow('is not a regular file');
  });

  test('of weights is no pipe', async () => {
    const file = join(await temporaryFolder(), 'model.safetensors');
    execFileSync('mkfifo', [file]);
    await expect(openSafetensors(file)).rejects.toThrow('is not a regular file');
  });
});
