import type { Config } from '../configs/schema.ts';
import { readModelDirectory } from '../model/files/model-directory.ts';

/** Hash of the base model's weights. @throws InputError when the model directory is not whole */
export async function baseModelHash(config: Config): Promise<string> {
  const model = await readModelDirectory(config.model.path);
  try {
    return model.weightsHash;
  } finally {
    await model.close();
  }
}
