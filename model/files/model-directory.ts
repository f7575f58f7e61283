import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { InputError } from '../../store/input-error.ts';
import { readJson } from '../../store/read-json.ts';
import { expectedTensors } from './expected-tensors.ts';
import { type ModelConfig, readModelConfig } from './model-config.ts';
import { openSafetensors, type SafetensorsFile } from './safetensors.ts';

export { expectedTensors } from './expected-tensors.ts';
export { writeModelDirectory } from './write-model-directory.ts';

/** An open model directory: config and names in memory, tensors on disk until read. */
export interface ModelDirectory {
  directory: string;
  config: ModelConfig;
  /** SHA-256 over names, shapes and bytes of all tensors: the same wherever the model lies, sharded or not. */
  weightsHash: string;
  /** Every tensor of the model, in the order of `expectedTensors`. */
  names(): string[];
  read(name: string): Promise<{ shape: number[]; data: Float32Array }>;
  close(): Promise<void>;
}

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/** Buffers and second names that earlier versions of `transformers` wrote along; they hold nothing of their own. */
const needless = [/\.rotary_emb\.inv_freq$/, /\.position_ids$/];
const tiedHead = 'language_model.lm_head.weight';

/**
 * Opens a model directory in Hugging Face's format: `config.json` with `model.safetensors`, or with shards
 * and `model.safetensors.index.json`.
 *
 * @throws InputError naming the file and the tensor that is missing, unexpected or of another shape than
 *   the config says, and for whatever `readModelConfig` and `openSafetensors` refuse.
 * @example
 * const model = await readModelDirectory('data/stage1');
 * const { shape, data } = await model.read('language_model.model.norm.weight');
 * await model.close();
 */
export async function readModelDirectory(directory: string): Promise<ModelDirectory> {
  const config = await readModelConfig(directory);
  const { fileOfTensor, opened } = await openWeights(directory);
  const close = async () => {
    await Promise.all(opened.map((file) => file.close()));
  };
  try {
    checkTensors(config, fileOfTensor, directory);
    const names = [...expectedTensors(config).keys()];
    const fileOf = (name: string) => fileOfTensor.get(name) as SafetensorsFile;
    return {
      directory,
      config,
      weightsHash: await hashTensors(names, fileOf),
      names: () => names,
      read: async (name) => {
        const file = fileOfTensor.get(name);
        if (!file) throw new Error(`${directory}: the model has no tensor ${name}`);
        return { shape: file.tensors.get(name)?.shape ?? [], data: await file.read(name) };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openWeights(
  directory: string,
): Promise<{ fileOfTensor: Map<string, SafetensorsFile>; opened: SafetensorsFile[] }> {
  const index = path.join(directory, 'model.safetensors.index.json');
  const isSharded = await access(index).then(
    () => true,
    () => false,
  );
  if (!isSharded) {
    const file = await openSafetensors(path.join(directory, 'model.safetensors'));
    return { fileOfTensor: new Map([...file.tensors.keys()].map((name) => [name, file])), opened: [file] };
  }
  const { weight_map: shardOfTensor } = await readJson(index, indexSchema);
  const shards = new Map<string, SafetensorsFile>();
  try {
    for (const shard of new Set(Object.values(shardOfTensor))) {
      if (shard !== path.basename(shard)) {
        throw new InputError({
          file: index,
          field: shard,
          problem: 'leads out of the directory',
          remedy: 'Mend the index',
        });
      }
      shards.set(shard, await openSafetensors(path.join(directory, shard)));
    }
    const fileOfTensor = new Map<string, SafetensorsFile>();
    for (const [name, shard] of Object.entries(shardOfTensor)) {
      const file = shards.get(shard) as SafetensorsFile;
      if (!file.tensors.has(name)) throw wrongTensor(file.file, name, 'is missing, though the index says it is here');
      fileOfTensor.set(name, file);
    }
    return { fileOfTensor, opened: [...shards.values()] };
  } catch (error) {
    await Promise.all([...shards.values()].map((file) => file.close()));
    throw error;
  }
}

function checkTensors(config: ModelConfig, fileOfTensor: Map<string, SafetensorsFile>, directory: string): void {
  const expected = expectedTensors(config);
  const anyFile = fileOfTensor.values().next().value?.file ?? path.join(directory, 'model.safetensors');
  for (const [name, shape] of expected) {
    const file = fileOfTensor.get(name);
    if (!file) throw wrongTensor(anyFile, name, 'is missing');
    const found = file.tensors.get(name)?.shape ?? [];
    if (found.join() !== shape.join()) {
      throw wrongTensor(file.file, name, `has shape [${found.join(', ')}], the config says [${shape.join(', ')}]`);
    }
  }
  for (const [name, file] of fileOfTensor) {
    const isNeedless = needless.some((pattern) => pattern.test(name)) || name === tiedHead;
    if (!expected.has(name) && !isNeedless)
      throw wrongTensor(file.file, name, 'is no tensor of the model in config.json');
  }
}

function wrongTensor(file: string, tensor: string, problem: string): InputError {
  return new InputError({
    file,
    field: tensor,
    problem,
    remedy: 'Check that config.json and the weights belong together',
  });
}

async function hashTensors(names: readonly string[], fileOf: (name: string) => SafetensorsFile): Promise<string> {
  const hash = createHash('sha256');
  for (const name of names) {
    const file = fileOf(name);
    const { dtype, shape } = file.tensors.get(name) ?? {};
    hash.update(JSON.stringify([name, dtype, shape]));
    for await (const piece of file.readBytes(name)) hash.update(piece);
  }
  return hash.digest('hex');
}
