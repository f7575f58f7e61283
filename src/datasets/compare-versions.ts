import { hashValue } from '../core/hash.ts';
import { countBy } from '../core/records.ts';
import { type EngineSample, streamEngineData } from './engine-data.ts';
import { type DatasetVersion, lineageOf, versionObject } from './versions.ts';

/** How the data at one version differs from the data at another. */
export interface VersionDifference {
  /** Samples that both have, word for word. */
  kept: number;
  added: EngineSample[];
  removed: EngineSample[];
  /** By question type, how many more there are. */
  addedByType: Record<string, number>;
  removedByType: Record<string, number>;
}

/**
 * Compares all data at two versions, regardless of the files that samples are in. Of samples that both versions have,
 * only a hash is in memory.
 */
export async function compareVersions(
  runRoot: string,
  before: DatasetVersion,
  after: DatasetVersion,
): Promise<VersionDifference> {
  const left = await hashCounts(runRoot, before);
  const added: EngineSample[] = [];
  let kept = 0;
  for await (const sample of samplesAt(runRoot, after)) {
    const hash = hashValue(sample);
    const count = left.get(hash) ?? 0;
    if (count === 0) added.push(sample);
    else {
      kept += 1;
      left.set(hash, count - 1);
    }
  }
  const removed: EngineSample[] = [];
  for await (const sample of samplesAt(runRoot, before)) {
    const hash = hashValue(sample);
    const count = left.get(hash) ?? 0;
    if (count === 0) continue;
    removed.push(sample);
    left.set(hash, count - 1);
  }
  return { kept, added, removed, addedByType: countByType(added), removedByType: countByType(removed) };
}

/** All samples at a version, those of the first round first. */
export async function* samplesAt(runRoot: string, version: DatasetVersion): AsyncGenerator<EngineSample> {
  for (const { files } of await lineageOf(runRoot, version)) {
    for (const file of files) yield* streamEngineData(versionObject(runRoot, file));
  }
}

/** Question type → number of samples. */
export function countByType(samples: Iterable<{ question_type: string }>): Record<string, number> {
  return countBy(samples, ({ question_type }) => question_type);
}

async function hashCounts(runRoot: string, version: DatasetVersion): Promise<Map<string, number>> {
  const hashes = new Map<string, number>();
  for await (const sample of samplesAt(runRoot, version)) {
    const hash = hashValue(sample);
    hashes.set(hash, (hashes.get(hash) ?? 0) + 1);
  }
  return hashes;
}
