import { distance } from 'fastest-levenshtein';
import type { z } from 'zod';
import { fieldPath } from '../core/input-error.ts';
import { valueIn } from '../core/records.ts';

/** Former names of keys → their present names; `[]` stands for any item of a list. */
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
  const renamed = valueIn(renamedKeys, keys.map((key, index) => patternOf(key, index)).join(''));
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

type SchemaNode = z.core.JSONSchema.BaseSchema;

/**
 * The known key that was most likely meant: the key of the same group that differs in few letters, or else one of the
 * same name elsewhere in the config. A path from the top of the config; undefined where none is near.
 */
export function nearestKey(schema: SchemaNode, place: readonly PropertyKey[], unknown: string): string | undefined {
  const elsewhere = allPaths(schema).find((keys) => sameWord(String(keys.at(-1)), unknown));
  const sibling = knownKeys(schema, place)
    .map((key) => ({ key, cost: distance(key.toLowerCase(), unknown.toLowerCase()) }))
    .sort((left, right) => left.cost - right.cost)[0];
  const isNear = (share: number) => sibling !== undefined && sibling.cost <= Math.max(1, unknown.length * share);
  if (sibling && (isNear(1 / 3) || (!elsewhere && isNear(1 / 2)))) return fieldPath([...place, sibling.key]);
  return elsewhere && fieldPath(elsewhere);
}

/** The keys of the group at that place of the config. */
export function knownKeys(schema: SchemaNode, place: readonly PropertyKey[]): string[] {
  return Object.keys(nodeAt(schema, place)?.properties ?? {});
}

// batch_size, batch-size and batchSize are the same word.
function sameWord(left: string, right: string): boolean {
  const plain = (text: string) => text.replace(/[_-]/g, '').toLowerCase();
  return plain(left) === plain(right);
}

function nodeAt(schema: SchemaNode, keys: readonly PropertyKey[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = schema;
  for (const key of keys) node = childOf(node, key);
  return node;
}

function childOf(node: SchemaNode | undefined, key: PropertyKey): SchemaNode | undefined {
  const child = typeof key === 'number' ? node?.items : node?.properties?.[String(key)];
  return typeof child === 'object' && !Array.isArray(child) ? child : undefined;
}

function allPaths(node: SchemaNode, place: PropertyKey[] = []): PropertyKey[][] {
  return Object.keys(node.properties ?? {}).flatMap((key) => {
    const child = childOf(node, key);
    return [[...place, key], ...(child ? allPaths(child, [...place, key]) : [])];
  });
}
