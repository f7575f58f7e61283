/**
 * Finetunes, merges and scores a tiny model of a family that joins CLIP and LLaMA: `train-family.ts MODEL_TYPE`, run in a
 * project that has the family. Prints what the steps returned.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { familyOf } from '../../src/model/families/index.ts';
import { readModelDirectory } from '../../src/model/files/model-directory.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { stepDirectory } from '../../src/round/step-directory.ts';
import { tinyClip, writeTinyModel } from '../helpers/tiny-model.ts';
import { tinyContext, writeTinyRun } from '../round/tiny-run.ts';

const [model_type] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'family-'));
try {
  const path = join(folder, 'model');
  const config = (text_config: object) => ({ model_type, image_token_index: 3, vision_config: tinyClip, text_config });
  await writeTinyModel(path, { config });
  const file = await writeTinyRun(folder, ({ data: { test: _, ...data }, finetune, ...rest }) => ({
    ...rest,
    model: { path },
    data,
    finetune: { ...finetune, stepsPerEpoch: 2 },
  }));
  const context = await tinyContext(file, { trainer: undefined });
  const finetuned = await finetune(context);
  const merged = await merge(context);
  const evaluated = await evaluate(context);
  const directory = await readModelDirectory(stepDirectory(context.run, 0, 'merge'));
  await directory.close();
  const { architecture } = familyOf(directory.config);
  process.stdout.write(JSON.stringify({ finetuned, merged, evaluated, architecture }));
} finally {
  await rm(folder, { recursive: true, force: true });
}
