import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { hashFile, hashValue } from '../core/hash.ts';
import { InputError } from '../core/input-error.ts';
import { prunedName, requireUnpruned } from '../core/pruned.ts';
import { emptyRecord } from '../core/records.ts';
import { familyOf } from '../model/families/index.ts';
import type { PromptForm } from '../model/families/prompt-form.ts';
import { isOfBuiltInFamily, readModelConfig } from '../model/files/model-config.ts';
import { readModelDirectory } from '../model/files/model-directory.ts';

/**
 * Whether the base model is of a family that is implemented here (`src/model/families/`). With `trainer: torchrun` it may
 * be a vision-language model of `transformers` whose family was checked (docs/torchrun.md).
 */
export async function isBuiltInFamily({ model, trainer }: Pick<Config, 'model' | 'trainer'>): Promise<boolean> {
  return trainer === 'tensorflow' || isOfBuiltInFamily(model.path);
}

/**
 * The words that the base model's family puts around a question; none for a model that has a chat template of its own.
 *
 * @throws InputError when there is no model to look at
 */
export async function promptFormOf(config: Pick<Config, 'model' | 'trainer'>): Promise<PromptForm | undefined> {
  if (!(await isBuiltInFamily(config))) return undefined;
  return familyOf(await readModelConfig(config.model.path)).promptForm;
}

/** Hash of the base model's weights. @throws InputError when the model directory is not whole */
export async function baseModelHash(config: Config): Promise<string> {
  if (!(await isBuiltInFamily(config))) return hashValue(await hashModelFiles(config.model.path));
  const model = await readModelDirectory(config.model.path);
  try {
    return model.weightsHash;
  } finally {
    await model.close();
  }
}

/**
 * File → SHA-256 of what a model directory is read from; folders and notes beside it are not.
 *
 * @throws InputError for a directory that can't be read or holds no weights, or whose weights were pruned
 */
export async function hashModelFiles(model: string): Promise<Record<string, string>> {
  const names = await readdir(model).catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(
      { file: model, problem: `can't be read as a model directory (${cause.code})`, remedy: 'Check the path' },
      { cause },
    );
  });
  await requireUnpruned(model);
  const beside = ['manifest.json', prunedName];
  const files = names.filter((name) => /\.(safetensors|json|jinja)$/.test(name) && !beside.includes(name)).sort();
  if (!files.some((name) => name.endsWith('.safetensors'))) {
    throw new InputError({
      file: model,
      problem: 'holds no weights (*.safetensors)',
      remedy: 'Name a model directory',
    });
  }
  const hashes: Record<string, string> = emptyRecord();
  for (const name of files) hashes[name] = await hashFile(join(model, name));
  return hashes;
}
