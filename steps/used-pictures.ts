/**
 * Every picture that a run may open.
 */
import { join } from 'node:path';
import type { Config } from '../configs/schema.ts';
import { aokvqaPicturePath, readAokvqa } from '../datasets/aokvqa.ts';
import { readCcSbuAlign } from '../datasets/cc-sbu-align.ts';
import { readEngineData } from '../datasets/engine-data.ts';
import { suitablePictures } from '../generation/suitable-pictures.ts';
import { configuredSplits, poolPictures, type QuestionSet, questionSet } from './dataset-paths.ts';
import { trainPartPath, trainPartPictures } from './mixture-parts.ts';
import { withPool } from './pool.ts';

export interface UsedPictures {
  questions: number;
  /** Absolute paths, each once, in a fixed order. */
  pictures: string[];
}

/**
 * Reads all datasets of the config, and with that checks them.
 *
 * @throws InputError naming the file and field that is wrong
 */
export async function usedPictures(config: Config): Promise<UsedPictures> {
  const pictures = new Set<string>();
  let questions = 0;
  for (const part of config.data.train) {
    const path = trainPartPath(config, part);
    if (part.dataset === 'cc_sbu_align') {
      for (const { picture } of await readCcSbuAlign(path)) pictures.add(picture);
    } else {
      const folder = trainPartPictures(config, part);
      const samples = await (part.dataset === 'gptvqa' ? readEngineData(path) : readAokvqa(path));
      for (const { image_id } of samples) pictures.add(aokvqaPicturePath(folder, image_id));
    }
  }
  for (const split of configuredSplits(config)) {
    const set = questionSet(config, split) as QuestionSet;
    const asked = (await readAokvqa(set.file)).slice(0, set.limit);
    questions += asked.length;
    for (const { image_id } of asked) pictures.add(aokvqaPicturePath(set.pictures, image_id));
  }
  const pool = await withPool(config, async (coco) => suitablePictures(coco.pictures, config.sampling.maximumBoxes));
  for (const { fileName } of pool) pictures.add(join(poolPictures(config), fileName));
  return { questions, pictures: [...pictures] };
}
