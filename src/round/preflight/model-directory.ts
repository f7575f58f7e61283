/** Whether a model's directory has what is read from it, and how large it is. Of weights only the headers are read. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { InputError } from '../../core/input-error.ts';
import { requireUnpruned } from '../../core/pruned.ts';
import { readModelDirectory } from '../../model/files/model-directory.ts';
import { isBuiltInFamily } from '../base-model.ts';

/** Files that hold a tokenizer; one of them is enough. */
const tokenizers = ['tokenizer.json', 'tokenizer.model', 'vocab.json', 'spiece.model', 'tekken.json'];
const preprocessors = ['preprocessor_config.json', 'processor_config.json'];

/** @throws InputError naming the folder, or what is missing in it, all of it at once */
export async function requireWholeModel(config: Config): Promise<undefined> {
  const { path } = config.model;
  const names = await readdir(path).catch((cause: NodeJS.ErrnoException) => {
    const problem = cause.code === 'ENOENT' ? 'no such folder' : `can't be read as a model directory (${cause.code})`;
    const remedy = 'Check model.path, or download the model: `dataengine pull --help`, `dataengine setup --help`';
    throw new InputError({ file: path, problem, remedy }, { cause });
  });
  await requireUnpruned(path);
  const has = (choices: readonly string[]) => choices.some((name) => names.includes(name));
  const isBuiltIn = names.includes('config.json') ? await isBuiltInFamily(config) : config.trainer === 'tensorflow';
  const missing = [
    ...(names.includes('config.json') ? [] : ['config.json']),
    ...(names.some((name) => (isBuiltIn ? /^model.*\.safetensors$/ : /\.safetensors$/).test(name))
      ? []
      : ['weights (model.safetensors)']),
    ...(has(isBuiltIn ? ['tokenizer.json'] : tokenizers)
      ? []
      : [isBuiltIn ? 'tokenizer.json' : `a tokenizer (${tokenizers.join(' or ')})`]),
    ...(isBuiltIn || has(preprocessors) ? [] : [preprocessors.join(' or ')]),
  ];
  if (missing.length > 0) {
    throw new InputError({
      file: path,
      problem: `is no whole model: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`,
      remedy: 'Copy what is missing from where the model comes from',
    });
  }
  // All tensors are there, whole, and of the shapes that config.json says.
  if (isBuiltIn) await (await readModelDirectory(path)).close();
  return undefined;
}

/** @throws InputError where the model of `sampling.embeddings` is not there, or lacks its config or its weights */
export async function requireImageModel(path: string): Promise<void> {
  const names = await readdir(path).catch((): string[] => []);
  if (names.includes('config.json') && names.some((name) => name.endsWith('.safetensors'))) return;
  throw new InputError({
    file: 'config',
    field: 'sampling.embeddings.model',
    problem: `${path} is no model directory with config.json and weights (*.safetensors)`,
    remedy: 'Check the path, or leave the key out: the base model compares the images',
  });
}

/** The size of its weights; 0 where there are none here. */
export async function modelBytes(folder: string): Promise<number> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.safetensors'));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
