import { fieldPath } from '../core/field-path.ts';

/** Keys that had another name before → their names now; `[]` stands for any item of a list. */
export const renamedKeys: Readonly<Record<string, string>> = {
  'data.pictures': 'data.images',
  'data.train[].pictures': 'data.train[].images',
  'data.scenes.trainPictures': 'data.scenes.trainImages',
  'data.scenes.validationPictures': 'data.scenes.validationImages',
  'data.scenes.testPictures': 'data.scenes.testImages',
  'evaluate.benchmarks[].pictures': 'evaluate.benchmarks[].images',
  'evaluate.mmbenchAnswers': 'evaluate.benchmarks[].answers',
  'evaluate.precision': 'evaluate.computeDtype',
  'evaluate.weightStorage': 'evaluate.weightDtype',
  'finetune.precision': 'finetune.computeDtype',
  'finetune.recomputeActivations': 'finetune.activationCheckpointing',
  'finetune.weightStorage': 'finetune.weightDtype',
  'sampling.nearestPictures': 'sampling.nearestImages',
  'teacher.attachPicture': 'teacher.attachImage',
  'teacher.batch.atOnce': 'teacher.batch.maxConcurrent',
  'teacher.chunksAtOnce': 'teacher.maxConcurrentChunks',
  'temporal.partsAtOnce': 'temporal.maxConcurrentShards',
  'verify.keepNeedsNoPicture': 'verify.keepNeedsNoImage',
};

/** The present name of a key, such as `data.train[0].images`, or undefined for one that was not renamed. */
export function newNameOf(keys: readonly PropertyKey[]): string | undefined {
  const renamed = renamedKeys[keys.map((key, index) => patternOf(key, index)).join('')];
  const places = keys.filter((key) => typeof key === 'number');
  return renamed?.replaceAll('[]', (item) => {
    const place = places.shift();
    return place === undefined ? item : fieldPath([place]);
  });
}

function patternOf(key: PropertyKey, index: number): string {
  if (typeof key === 'number') return '[]';
  return index === 0 ? String(key) : `.${String(key)}`;
}
