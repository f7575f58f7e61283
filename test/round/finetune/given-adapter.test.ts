/** Round 0 takes an adapter that was trained before; adapters name their base model so that others find it. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configSchema } from '../../../src/config/schema.ts';
import { hashFile } from '../../../src/core/hash.ts';
import { baseModelName } from '../../../src/round/finetune/base-model-name.ts';
import { finetune } from '../../../src/round/finetune/finetune.ts';
import { readLosses } from '../../../src/round/finetune/results.ts';
import { plannedFinetune } from '../../../src/round/finetune/round-mixture.ts';
import { merge } from '../../../src/round/merge/merge.ts';
import { rowOf } from '../../../src/round/steps.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { trainedPartsFolder } from '../../helpers/trained-parts.ts';
import { tinyContext, tinyModel, writeTinyRun } from '../tiny-run.ts';

const adapter = 'test/fixtures/tiny-blip2-adapter';
const lora = { rank: 4, alpha: 8, targetModules: ['q_proj', 'k_proj', 'v_proj', 'down_proj'] };

async function contextWith(keys: object, model: object = {}) {
  const file = await writeTinyRun(await temporaryFolder(), (config) => ({
    ...config,
    model: { ...config.model, ...model },
    finetune: { ...config.finetune, ...keys },
  }));
  return tinyContext(file);
}

describe('finetune.round0Adapter', () => {
  test('is the adapter of round 0, weights unchanged, with nothing trained, and is merged', async () => {
    // The real trainer merges.
    const context = { ...(await contextWith({ round0Adapter: adapter })), trainer: undefined };
    expect(await plannedFinetune(context)).toEqual({ samples: 0, steps: 0 });
    const outcome = await finetune(context);
    expect(outcome).toMatchObject({ samples: 0, steps: 0, reused: false });
    expect(rowOf('finetune').summary(outcome as never)).toBe('the adapter of finetune.round0Adapter');
    const directory = join(context.run.root, 'round-0/finetune');
    expect(await hashFile(join(directory, 'adapter_model.safetensors'))).toBe(
      await hashFile(join(adapter, 'adapter_model.safetensors')),
    );
    expect(await readLosses(directory)).toEqual([]);
    expect(await finetune(context)).toMatchObject({ reused: true });
    expect((await merge(context)).parity).toBeLessThan(1e-3);
  });

  test.each([
    [{}, 'a/finetune', 'adapter_config.json: is not there, and finetune.round0Adapter names its folder'],
    [{ startFrom: 'previous' }, adapter, 'adapter_config.json: r: is 4, but finetune.lora says 8'],
    [{ startFrom: 'previous', lora: { ...lora, alpha: 4 } }, adapter, 'lora_alpha: is 8, but finetune.lora says 4'],
    [
      { startFrom: 'previous', lora: { ...lora, targetModules: ['q_proj'] } },
      adapter,
      'target_modules: is down_proj, k_proj, q_proj, v_proj, but finetune.lora says q_proj',
    ],
    [{ startFrom: 'previous', lora: { ...lora, rslora: true } }, adapter, 'use_rslora: is not set'],
    [{ startFrom: 'previous', lora: { ...lora, dora: true } }, adapter, 'use_dora: is not set'],
    [
      { startFrom: 'previous', lora, trainable: ['projection'] },
      adapter,
      'modules_to_save: is not set, but finetune.trainable says projection',
    ],
    [
      { startFrom: 'previous', lora: { ...lora, targetModules: ['q_proj', 'down_proj'] } },
      join(trainedPartsFolder, 'tiny-blip2-projection/start'),
      'modules_to_save: is projection, but finetune.trainable says not set',
    ],
    [
      { startFrom: 'previous', lora: { ...lora, targetModules: ['q_proj', 'down_proj'], rslora: true } },
      join(trainedPartsFolder, 'tiny-blip2-dora-of-language/start'),
      'use_dora: is true, but finetune.lora.dora says not set',
    ],
  ])('is refused where rounds can not go on from it: %j', async (keys, round0Adapter, problem) => {
    await expect(finetune(await contextWith({ ...keys, round0Adapter }))).rejects.toThrow(problem);
  });

  test('is what round 1 starts from with startFrom: previous', async () => {
    const folder = await temporaryFolder();
    await cp(adapter, folder, { recursive: true });
    const context = await contextWith({ round0Adapter: folder, startFrom: 'previous', lora });
    await finetune(context);
    expect((await readFile(join(context.run.root, 'round-0/finetune/README.md'), 'utf8')).split('\n')).toContain(
      'library_name: peft',
    );
    // Another adapter is another input.
    await writeFile(join(folder, 'adapter_model.safetensors'), 'other bytes');
    expect(await finetune(context)).toMatchObject({ reused: false });
  });
});

describe('an adapter names its base model', () => {
  const nameOf = (model: object) => baseModelName(configSchema.parse({ model, data: { root: 'data' } }), '/work');

  test('by the id on the Hub, or by a folder that is no path of this machine alone', () => {
    expect(nameOf({ path: '/work/data/stage1' })).toBe('./data/stage1');
    expect(nameOf({ path: '/models/minigpt4-7b' })).toBe('./minigpt4-7b');
    expect(nameOf({ path: '/models/llava', hubId: 'llava-hf/llava-1.5-7b-hf' })).toBe('llava-hf/llava-1.5-7b-hf');
    expect(() => nameOf({ path: 'a', hubId: 'https://huggingface.co/a/b' })).toThrow('must be owner/name');
  });

  test.each([
    [{}, './test/fixtures/tiny-blip2', 'the folder `./test/fixtures/tiny-blip2` of the project'],
    [{ hubId: 'me/tiny' }, 'me/tiny', '(https://huggingface.co/me/tiny)'],
  ])('in the files of a finetune: %j', async (model, name, note) => {
    const context = await contextWith({}, model);
    await mkdir(context.run.root, { recursive: true });
    await finetune({ ...context, trainer: undefined });
    const read = (file: string) => readFile(join(context.run.root, 'round-0/finetune', file), 'utf8');
    expect(JSON.parse(await read('adapter_config.json'))).toMatchObject({ base_model_name_or_path: name, r: 8 });
    expect(await read('README.md')).toContain(note);
    for (const file of ['adapter_config.json', 'README.md']) expect(await read(file)).not.toContain(tinyModel);
  });
});
