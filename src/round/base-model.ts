import { join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../config/schema.ts';
import { hashValue } from '../core/hash.ts';
import { readJson } from '../core/read-json.ts';
import { readModelDirectory } from '../model/files/model-directory.ts';
import { hashModelFiles } from './model-files.ts';

/** As `src/trainer/torch/families.py` tells them apart. */
const ownFamilySchema = z.looseObject({
  model_type: z.enum(['blip-2', 'llava']),
  text_config: z.looseObject({ model_type: z.literal('llama') }),
});

/**
 * Whether the base model is of a family that our own code reads (`model/families/`). With `trainer: torchrun` it may be
 * any vision-language model of `transformers`: images and words then go to the trainer as they are.
 */
export async function isOwnFamily({ model, trainer }: Pick<Config, 'model' | 'trainer'>): Promise<boolean> {
  if (trainer === 'tensorflow') return true;
  const config = await readJson(join(model.path, 'config.json'), z.looseObject({ model_type: z.string() }));
  return ownFamilySchema.safeParse(config).success;
}

/** Hash of the base model's weights. @throws InputError when the model directory is not whole */
export async function baseModelHash(config: Config): Promise<string> {
  if (!(await isOwnFamily(config))) return hashValue(await hashModelFiles(config.model.path));
  const model = await readModelDirectory(config.model.path);
  try {
    return model.weightsHash;
  } finally {
    await model.close();
  }
}
