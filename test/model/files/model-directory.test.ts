import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { familyOf, modelConfigSchema } from '../../../src/model/families/index.ts';
import {
  type ModelDirectory,
  readModelDirectory,
  writeModelDirectory,
} from '../../../src/model/files/model-directory.ts';
import { openSafetensors, type TensorToWrite, writeSafetensors } from '../../../src/model/files/safetensors.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { noTinyDisk, tinyDisk } from '../../helpers/tiny-disk.ts';

const tinyModel = fileURLToPath(new URL('../../fixtures/tiny-blip2/', import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
});

async function withModel<T>(directory: string, use: (model: ModelDirectory) => T | Promise<T>): Promise<T> {
  const model = await readModelDirectory(directory);
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

async function tensorsOf(directory: string): Promise<TensorToWrite[]> {
  return withModel(directory, (model) =>
    Promise.all(model.names().map(async (name) => ({ name, ...(await model.read(name)) }))),
  );
}

/** A copy of the fixture's config beside weights of one's own making. */
async function directoryWith(tensors: TensorToWrite[]): Promise<string> {
  await writeFile(path.join(folder, 'config.json'), await readFile(path.join(tinyModel, 'config.json')));
  await writeSafetensors(path.join(folder, 'model.safetensors'), tensors);
  return folder;
}

describe('a model directory', () => {
  it('holds exactly the tensors that transformers writes', async () => {
    const file = await openSafetensors(path.join(tinyModel, 'model.safetensors'));
    const written = new Map([...file.tensors].map(([name, { shape }]) => [name, shape]));
    await file.close();
    await withModel(tinyModel, ({ config, names }) => {
      expect(familyOf(config).expectedTensors()).toEqual(written);
      expect(names()).toHaveLength(written.size);
    });
  });

  it('has no head of its own when the embeddings are tied, and no bias where the config says so', async () => {
    await withModel(tinyModel, ({ config }) => {
      const tied = familyOf(
        modelConfigSchema.parse({
          ...config,
          text_config: { ...config.text_config, tie_word_embeddings: true },
          vision_config: { ...config.vision_config, qkv_bias: false },
        }),
      ).expectedTensors();
      expect([...tied.keys()].filter((name) => /lm_head|qkv\.bias/.test(name))).toEqual([]);
    });
  });

  it('is the same after reading and writing, tokenizer and image processor included', async () => {
    const target = path.join(folder, 'copy');
    const tensors = await tensorsOf(tinyModel);
    await withModel(tinyModel, async ({ config, weightsHash }) => {
      await writeModelDirectory(target, { config, tensors, copyFrom: tinyModel });
      await withModel(target, (copy) => {
        expect(copy.weightsHash).toBe(weightsHash);
        expect(copy.config).toMatchObject(config);
      });
    });
    expect(await readdir(folder)).toEqual(['copy']);
    expect((await readdir(target)).toSorted()).toEqual([
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'preprocessor_config.json',
      'tokenizer.json',
    ]);
  });

  it('replaces a model that is there and leaves other files', async () => {
    const tensors = await tensorsOf(tinyModel);
    const { config } = await withModel(tinyModel, (model) => model);
    await writeModelDirectory(folder, { config, tensors });
    await writeFile(path.join(folder, 'notes.txt'), 'mine');
    const doubled = tensors.map((tensor) => ({
      ...tensor,
      data: (tensor.data as Float32Array).map((value) => 2 * value),
    }));
    await writeModelDirectory(folder, { config, tensors: doubled, dtype: 'BF16' });
    expect((await readdir(folder)).toSorted()).toEqual(['config.json', 'model.safetensors', 'notes.txt']);
    expect(await readFile(path.join(folder, 'config.json'), 'utf8')).toContain('"dtype": "bfloat16"');
  });

  it('leaves nothing when a tensor cannot be had, and wants all of them', async () => {
    const { config } = await withModel(tinyModel, (model) => model);
    const tensors = await tensorsOf(tinyModel);
    const failing = tensors.with(-1, {
      ...(tensors.at(-1) as TensorToWrite),
      data: () => Promise.reject(new Error('gone')),
    });
    const target = path.join(folder, 'merged');
    await expect(writeModelDirectory(target, { config, tensors: failing })).rejects.toThrow('gone');
    await expect(writeModelDirectory(target, { config, tensors: tensors.slice(1) })).rejects.toThrow(
      'vision_model.embeddings.class_embedding and 0 other tensors were not given',
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it('leaves the existing model on a full disk, and names the file', async (context) => {
    const disk = tinyDisk(300_000) ?? context.skip(noTinyDisk);
    const { config } = await withModel(tinyModel, (model) => model);
    const tensors = await tensorsOf(tinyModel);
    const target = path.join(disk, 'merged');
    await writeModelDirectory(target, { config, tensors, dtype: 'F16' });
    const before = await withModel(target, (model) => model.weightsHash);

    const failure = await writeModelDirectory(target, { config, tensors }).catch((error: unknown) => error);

    const file = path.join(target, 'model.safetensors');
    expect(failure).toMatchObject({ name: 'StorageError', file, code: 'ENOSPC' });
    expect(await readdir(disk)).toEqual(['merged']);
    expect(await withModel(target, (model) => model.weightsHash)).toBe(before);
  });

  it('reads shards, and has the same hash as the same weights in one file', async () => {
    const tensors = await tensorsOf(tinyModel);
    const halves = [tensors.slice(0, 50), tensors.slice(50)];
    const weight_map: Record<string, string> = {};
    for (const [index, half] of halves.entries()) {
      const shard = `model-0000${index + 1}-of-00002.safetensors`;
      await writeSafetensors(path.join(folder, shard), half);
      for (const { name } of half) weight_map[name] = shard;
    }
    await writeFile(path.join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map }));
    await writeFile(path.join(folder, 'config.json'), await readFile(path.join(tinyModel, 'config.json')));
    const hash = await withModel(tinyModel, (model) => model.weightsHash);
    await withModel(folder, async (model) => {
      expect(model.weightsHash).toBe(hash);
      const last = tensors.at(-1) as TensorToWrite;
      expect((await model.read(last.name)).data).toEqual(last.data);
    });

    await rm(path.join(folder, 'model-00002-of-00002.safetensors'));
    await expect(readModelDirectory(folder)).rejects.toThrow('model-00002-of-00002.safetensors');
  });

  it('takes model.safetensors where an index lies beside it, as transformers does', async () => {
    const directory = await directoryWith(await tensorsOf(tinyModel));
    await writeFile(
      path.join(directory, 'model.safetensors.index.json'),
      '{"weight_map": {"other": "gone.safetensors"}}',
    );
    const hash = await withModel(tinyModel, (model) => model.weightsHash);
    expect(await withModel(directory, (model) => model.weightsHash)).toBe(hash);
  });

  it('has another hash when one weight is another', async () => {
    const tensors = await tensorsOf(tinyModel);
    const first = tensors[0] as TensorToWrite;
    const changed = (first.data as Float32Array).with(0, 42);
    const directory = await directoryWith(tensors.with(0, { ...first, data: changed }));
    const [one, other] = await Promise.all(
      [tinyModel, directory].map((at) => withModel(at, (model) => model.weightsHash)),
    );
    expect(one).not.toBe(other);
  });

  it('ignores the buffers that earlier versions of transformers wrote', async () => {
    const buffer = {
      name: 'language_model.model.layers.0.self_attn.rotary_emb.inv_freq',
      shape: [4],
      data: new Float32Array(4),
    };
    const directory = await directoryWith([...(await tensorsOf(tinyModel)), buffer]);
    await withModel(directory, ({ names }) => expect(names()).not.toContain(buffer.name));
  });
});

describe('weights that do not belong to the config', () => {
  const norm = 'language_model.model.norm.weight';
  it('are named when one is missing, too many, or of another shape', async () => {
    const tensors = await tensorsOf(tinyModel);
    const others = tensors.filter(({ name }) => name !== norm);
    await directoryWith(others);
    await expect(readModelDirectory(folder)).rejects.toThrow(`model.safetensors: ${norm}: is missing`);
    await directoryWith([...tensors, { name: 'extra.weight', shape: [1], data: new Float32Array(1) }]);
    await expect(readModelDirectory(folder)).rejects.toThrow('extra.weight: is no tensor of the model');
    await directoryWith([...others, { name: norm, shape: [16], data: new Float32Array(16) }]);
    await expect(readModelDirectory(folder)).rejects.toThrow(`${norm}: has shape [16], the config says [32]`);
  });

  it('are refused when the index leads elsewhere or names a tensor that its shard lacks', async () => {
    await directoryWith(await tensorsOf(tinyModel));
    await rename(path.join(folder, 'model.safetensors'), path.join(folder, 'shard.safetensors'));
    const index = path.join(folder, 'model.safetensors.index.json');
    await writeFile(index, JSON.stringify({ weight_map: { [norm]: '../secret.safetensors' } }));
    await expect(readModelDirectory(folder)).rejects.toThrow('leads out of the directory');
    await writeFile(index, JSON.stringify({ weight_map: { other: 'shard.safetensors' } }));
    await expect(readModelDirectory(folder)).rejects.toThrow('other: is missing, though the index says it is here');
  });

  it('are refused where there is no model at all', async () => {
    await mkdir(path.join(folder, 'empty'));
    await expect(readModelDirectory(path.join(folder, 'empty'))).rejects.toThrow('config.json');
  });
});
