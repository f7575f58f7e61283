import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { joinInside } from '../../src/core/inside.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { alignmentCaption } from './captions.ts';
import { captionAnnotations, instanceAnnotations } from './coco-format.ts';
import { type DatasetManifest, finishDataset, isComplete, startDataset } from './dataset-manifest.ts';
import { drawImages, writeImages } from './images.ts';
import { type BaseTypes, balancedQuestions, skewedQuestions, withoutType } from './question-sets.ts';

export interface SceneDatasetOptions {
  /** Folder that gets `COCO2017/`, `A-OKVQA/` and `cc_sbu_align/`. */
  root: string;
  seed: number;
  /** Images of the train split: those of the base SFT questions, and the pool that the engine writes about. */
  trainImages: number;
  validationImages: number;
  testImages: number;
  /** Share of the train images that the base SFT questions are about. Default 0.4. */
  baseShare?: number;
  /** How the base SFT questions are spread over the types. Default: skewed. */
  baseTypes?: BaseTypes | undefined;
  /** Base SFT questions an image. Default 3. */
  trainQuestionsPerImage?: number;
  /** Validation and test questions an image, on average. Default 2.5. */
  questionsPerImage?: number;
  /** Image and caption pairs of `cc_sbu_align/`. Default 300. */
  alignmentImages?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** What was written, or what a complete root already holds. */
export interface SceneDataset extends DatasetManifest {
  /** The root was complete for the same options already. */
  skipped: boolean;
}

// COCO's ids do not show their split; ours start at different numbers so that no id occurs twice.
const FIRST_IDS = { train: 100_000, val: 400_000, test: 700_000 } as const;

/**
 * Writes the demo domain in the official folder layout: images and annotations as COCO has them, questions
 * as A-OKVQA has them, caption pairs as cc_sbu_align has them. No two images are the same, over all splits.
 *
 * The manifest is written last. A root that is complete for the same options is kept; one that was
 * interrupted, or written for other options, is written again. The same options give the same bytes.
 *
 * @throws InputError when the root holds other data.
 */
export async function writeSceneDataset(options: SceneDatasetOptions): Promise<SceneDataset> {
  const { root, signal, onProgress, ...given } = options;
  const settings = {
    baseShare: 0.4,
    trainQuestionsPerImage: 3,
    questionsPerImage: 2.5,
    alignmentImages: 300,
    ...given,
  };
  const complete = await isComplete(root, settings);
  if (complete) return { ...complete, skipped: true };
  await startDataset(root);

  const random = seededRandom(settings.seed).fork('scenes');
  const seen = new Set<string>();
  const total = settings.trainImages + settings.validationImages + settings.testImages + settings.alignmentImages;
  let done = 0;
  const write = async (
    split: string,
    count: number,
    firstId: number,
    folder: string,
    fileName?: (id: number) => string,
  ) => {
    const images = drawImages(random.fork(split), count, firstId, fileName);
    await writeImages(join(root, folder), images, {
      seen,
      signal,
      onImage: () => {
        done += 1;
        onProgress?.(done, total);
      },
    });
    return images;
  };

  const splits = {
    train: await write('train', settings.trainImages, FIRST_IDS.train, 'COCO2017/train2017'),
    val: await write('val', settings.validationImages, FIRST_IDS.val, 'COCO2017/val2017'),
    test: await write('test', settings.testImages, FIRST_IDS.test, 'COCO2017/test2017'),
  };
  const annotations = join(root, 'COCO2017', 'annotations');
  await mkdir(annotations, { recursive: true });
  for (const [split, images] of Object.entries(splits)) {
    await writeJson(joinInside(annotations, `instances_${split}2017.json`), instanceAnnotations(images));
    await writeJson(joinInside(annotations, `captions_${split}2017.json`), captionAnnotations(images));
  }

  const questions = join(root, 'A-OKVQA');
  await mkdir(questions, { recursive: true });
  const baseImages = splits.train.slice(0, Math.round(settings.trainImages * settings.baseShare));
  const { trainQuestionsPerImage, baseTypes } = settings;
  const train = skewedQuestions(baseImages, trainQuestionsPerImage, random.fork('train questions'), baseTypes);
  const val = balancedQuestions('val', splits.val, settings.questionsPerImage, random.fork('val questions'));
  const test = balancedQuestions('test', splits.test, settings.questionsPerImage, random.fork('test questions'));
  await writeJson(join(questions, 'aokvqa_v1p0_train.json'), train);
  for (const [split, records] of [
    ['val', val],
    ['test', test],
  ] as const) {
    await writeJson(join(questions, `aokvqa_v1p0_${split}.json`), records.map(withoutType));
    await writeJson(join(questions, `aokvqa_v1p0_${split}_classified.json`), records);
  }

  const pairs = await write('cc_sbu_align', settings.alignmentImages, 1, 'cc_sbu_align/image', (id) => `${id}.jpg`);
  await writeJson(join(root, 'cc_sbu_align', 'filter_cap.json'), {
    annotations: pairs.map(({ id, scene, random: own }) => ({
      image_id: String(id),
      caption: alignmentCaption(scene, own.fork('alignment')),
    })),
  });

  const manifest = await finishDataset(root, settings, {
    trainImages: splits.train.length,
    baseImages: baseImages.length,
    trainQuestions: train.length,
    validationQuestions: val.length,
    testQuestions: test.length,
    alignmentPairs: pairs.length,
  });
  return { ...manifest, skipped: false };
}
