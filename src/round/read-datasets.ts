/**
 * Reads all datasets of a config, and with that checks them.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { type AokvqaQuestion, aokvqaImagePath, readAokvqa } from '../datasets/aokvqa.ts';
import { checkBenchmarkFiles } from '../datasets/check-benchmarks.ts';
import { checkMmbench } from '../datasets/mmbench.ts';
import { benchmarkOf } from '../evaluation/benchmarks/index.ts';
import { readQuestionTypes } from '../generation/question-types.ts';
import { suitableImages } from '../generation/sample-requests.ts';
import { readPromptTemplate } from '../teacher/prompt-template.ts';
import { type DataProblem, problemOf } from './data-problem.ts';
import { configuredSplits, poolImages, type QuestionSet, questionSet } from './dataset-paths.ts';
import { benchmarkSets, type EvaluationSet } from './evaluation-sets.ts';
import { baseDataset } from './mixture-parts.ts';
import { withPool } from './pool.ts';

/** An image that a run may open, with the size that the annotations say it has. */
export interface UsedImage {
  /** Absolute path. */
  file: string;
  width?: number;
  height?: number;
}

export interface DatasetsRead {
  /** Of validation and test. */
  questions: number;
  /** Each once, in a fixed order. */
  images: UsedImage[];
  problems: DataProblem[];
}

/** Reads what the config names under its data root. What can't be read is a problem, and the rest is read on. */
export async function readDatasets(config: Config): Promise<DatasetsRead> {
  const images = new Map<string, UsedImage>();
  const problems: DataProblem[] = [];
  let questions = 0;
  const attempt = async (read: () => Promise<void>) => {
    try {
      await read();
    } catch (error) {
      const found = problemOf(error, config.data.root);
      // A file may be used twice.
      if (!problems.some(({ error }) => error.message === found.error.message)) problems.push(found);
    }
  };
  const use = (image: UsedImage) => {
    images.set(image.file, { ...images.get(image.file), ...image });
  };
  const useOf = (samples: readonly Pick<AokvqaQuestion, 'image_id'>[], folder: string) => {
    for (const { image_id } of samples) use({ file: aokvqaImagePath(folder, image_id) });
  };

  await attempt(async () => void (await readQuestionTypes(config.data.questionTypes)));
  await attempt(async () => void (await readPromptTemplate(config.teacher.prompt)));
  for (const part of config.data.train) {
    const { dataset, ...source } = baseDataset(config, part);
    await attempt(async () => {
      for await (const { image } of dataset.read(source)) use({ file: image });
    });
  }
  for (const split of configuredSplits(config)) {
    await attempt(async () => {
      const set = questionSet(config, split) as QuestionSet;
      const asked = (await readAokvqa(set.file)).slice(0, set.limit);
      questions += asked.length;
      useOf(asked, set.images);
    });
  }
  await attempt(() =>
    withPool(config, async (coco) => {
      for (const { fileName, width, height } of suitableImages(await coco.list(), config.sampling.maximumBoxes)) {
        use({ file: join(poolImages(config), fileName), width, height });
      }
    }),
  );
  for (const name of ['MMBench', 'SEED-Bench'] as const) {
    const folder = join(config.data.root, name);
    if (existsSync(folder)) await attempt(() => checkBenchmarkFiles(name, folder));
  }
  for (const set of benchmarkSets(config)) {
    if (inCheckedFolder(config, set)) continue;
    await attempt(async () => {
      // Its images are in the file, and stay there.
      if (set.benchmark === 'mmbench') return void (await checkMmbench(set.file));
      const asked = await benchmarkOf(set.benchmark).read({ ...set, extractedImages: '' });
      questions += asked.length;
      for (const { image } of set.blind ? [] : asked) if (image !== undefined) use({ file: image });
    });
  }
  return { questions, images: [...images.values()], problems };
}

/** MMBench's files lie in a folder all of whose files are read. SEED-Bench's images are looked at wherever they are. */
function inCheckedFolder({ data }: Config, { benchmark, file }: EvaluationSet): boolean {
  return benchmark === 'mmbench' && dirname(file) === join(data.root, 'MMBench') && existsSync(dirname(file));
}
