import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { alignmentCaption } from './alignment-caption.ts';
import { captionAnnotations, instanceAnnotations } from './coco-format.ts';
import { beginDataset, type DatasetManifest, finishDataset, isComplete } from './dataset-manifest.ts';
import { drawPictures, writePictures } from './pictures.ts';
import { balancedQuestions, skewedQuestions, withoutType } from './question-sets.ts';

export interface SceneDatasetOptions {
  /** Folder that gets `COCO2017/`, `A-OKVQA/` and `cc_sbu_align/`. */
  root: string;
  seed: number;
  /** Pictures of the train split: those of the base SFT questions, and the pool that the engine writes about. */
  trainPictures: number;
  validationPictures: number;
  testPictures: number;
  /** Share of the train pictures that the base SFT questions are about. Default 0.4. */
  baseShare?: number;
  /** Base SFT questions a picture. Default 3. */
  trainQuestionsPerPicture?: number;
  /** Validation and test questions a picture, on average. Default 2.5. */
  questionsPerPicture?: number;
  /** Picture and caption pairs of `cc_sbu_align/`. Default 300. */
  alignmentPictures?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** What was written, or what a complete root already holds. */
export interface SceneDataset extends DatasetManifest {
  /** The root was complete for the same options already. */
  skipped: boolean;
}

// COCO's ids say nothing of their split; ours begin apart so that no id occurs twice.
const FIRST_IDS = { train: 100_000, val: 400_000, test: 700_000 } as const;

/**
 * Writes the demo domain in the official folder layout: pictures and annotations as COCO has them, questions
 * as A-OKVQA has them, caption pairs as cc_sbu_align has them. No two pictures are alike, over all splits.
 *
 * The manifest is written last. A root that is complete for the same options is left as it is; one that was
 * interrupted, or written for other options, is written anew. The same options give the same bytes.
 *
 * @throws InputError when the root holds data that didn't come from here.
 */
export async function writeSceneDataset(options: SceneDatasetOptions): Promise<SceneDataset> {
  const { root, signal, onProgress, ...given } = options;
  const settings = {
    baseShare: 0.4,
    trainQuestionsPerPicture: 3,
    questionsPerPicture: 2.5,
    alignmentPictures: 300,
    ...given,
  };
  const complete = await isComplete(root, settings);
  if (complete) return { ...complete, skipped: true };
  await beginDataset(root);

  const random = seededRandom(settings.seed).fork('scenes');
  const seen = new Set<string>();
  const total =
    settings.trainPictures + settings.validationPictures + settings.testPictures + settings.alignmentPictures;
  let done = 0;
  const write = async (
    split: string,
    count: number,
    firstId: number,
    folder: string,
    fileName?: (id: number) => string,
  ) => {
    const pictures = drawPictures(random.fork(split), count, firstId, fileName);
    await writePictures(join(root, folder), pictures, {
      seen,
      signal,
      onPicture: () => {
        done += 1;
        onProgress?.(done, total);
      },
    });
    return pictures;
  };

  const splits = {
    train: await write('train', settings.trainPictures, FIRST_IDS.train, 'COCO2017/train2017'),
    val: await write('val', settings.validationPictures, FIRST_IDS.val, 'COCO2017/val2017'),
    test: await write('test', settings.testPictures, FIRST_IDS.test, 'COCO2017/test2017'),
  };
  const annotations = join(root, 'COCO2017', 'annotations');
  await mkdir(annotations, { recursive: true });
  for (const [split, pictures] of Object.entries(splits)) {
    await writeJson(join(annotations, `instances_${split}2017.json`), instanceAnnotations(pictures));
    await writeJson(join(annotations, `captions_${split}2017.json`), captionAnnotations(pictures));
  }

  const questions = join(root, 'A-OKVQA');
  await mkdir(questions, { recursive: true });
  const basePictures = splits.train.slice(0, Math.round(settings.trainPictures * settings.baseShare));
  const train = skewedQuestions(basePictures, settings.trainQuestionsPerPicture, random.fork('train questions'));
  const val = balancedQuestions('val', splits.val, settings.questionsPerPicture, random.fork('val questions'));
  const test = balancedQuestions('test', splits.test, settings.questionsPerPicture, random.fork('test questions'));
  await writeJson(join(questions, 'aokvqa_v1p0_train.json'), train);
  for (const [split, records] of [
    ['val', val],
    ['test', test],
  ] as const) {
    await writeJson(join(questions, `aokvqa_v1p0_${split}.json`), records.map(withoutType));
    await writeJson(join(questions, `aokvqa_v1p0_${split}_classified.json`), records);
  }

  const pairs = await write('cc_sbu_align', settings.alignmentPictures, 1, 'cc_sbu_align/image', (id) => `${id}.jpg`);
  await writeJson(join(root, 'cc_sbu_align', 'filter_cap.json'), {
    annotations: pairs.map(({ id, scene, random: own }) => ({
      image_id: String(id),
      caption: alignmentCaption(scene, own.fork('alignment')),
    })),
  });

  const manifest = await finishDataset(root, settings, {
    trainPictures: splits.train.length,
    basePictures: basePictures.length,
    trainQuestions: train.length,
    validationQuestions: val.length,
    testQuestions: test.length,
    alignmentPairs: pairs.length,
  });
  return { ...manifest, skipped: false };
}
