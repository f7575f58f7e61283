/**
 * A config on the tiny dataset and the tiny model, for whole runs in seconds.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load-config.ts';
import type { Config } from '../../src/config/schema.ts';
import { projectFile } from '../../src/core/files.ts';
import { freezeConfig } from '../../src/round/frozen-config.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { type TrainerCommand, typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import { extensions } from '../../workers/extensions.ts';
import { writeTinyDataset } from './tiny-dataset.ts';

export const pretendTrainerEntry = projectFile('bench/support/pretend-trainer.ts');
export const tinyModel = projectFile('test/fixtures/tiny-blip2');

/** The tiny config as YAML would have it; change what a test is about. */
export function tinyConfig(folder: string) {
  return {
    seed: 7,
    rounds: 2,
    runsDirectory: join(folder, 'runs'),
    cacheDirectory: join(folder, 'cache'),
    model: { path: tinyModel },
    data: {
      root: join(folder, 'data'),
      train: [{ dataset: 'aokvqa' }, { dataset: 'cc_sbu_align' }],
      validation: { file: 'A-OKVQA/aokvqa_v1p0_val.json' },
      test: { file: 'A-OKVQA/aokvqa_v1p0_test.json' },
      images: { train: 'COCO2017/train2017', validation: 'COCO2017/val2017', test: 'COCO2017/test2017' },
      questionTypes: projectFile('configs/question-types.yaml'),
    },
    finetune: { epochs: 1, stepsPerEpoch: 20, batchSize: 2, checkpointEverySteps: 5, learningRate: { warmupSteps: 2 } },
    sampling: { requests: 6, nearestImages: 4 },
    teacher: { provider: 'local', mistakeRate: 0.2, prompt: projectFile('configs/prompts/generate-v1.md') },
    verify: {
      blindPrompt: projectFile('configs/prompts/verify-v1.md'),
      languageOnlyPrompt: projectFile('configs/prompts/verify-without-picture-v1.md'),
    },
    temporal: { stallTimeoutSeconds: 300, finetuneTimeoutMinutes: 5 },
  };
}

export type TinyConfig = ReturnType<typeof tinyConfig>;

/** Writes the tiny dataset and a config file into the folder, and returns the config's path. */
export async function writeTinyRun(
  folder: string,
  change: (config: TinyConfig) => object = (config) => config,
): Promise<string> {
  await writeTinyDataset(join(folder, 'data'));
  const file = join(folder, 'tiny.yaml');
  await writeFile(file, stringify(change(tinyConfig(folder))));
  return file;
}

/** What the steps are given, with the pretend trainer. */
export async function tinyContext(configFile: string, changes: Partial<StepContext> = {}): Promise<StepContext> {
  const loaded: Config = await loadConfig(configFile);
  const { config, directory } = await freezeConfig(loaded, 'tiny');
  const trainer: TrainerCommand = typescriptTrainer(pretendTrainerEntry);
  return {
    config,
    run: directory,
    round: 0,
    onProgress: () => undefined,
    signal: new AbortController().signal,
    extensions,
    trainer,
    ...changes,
  };
}
