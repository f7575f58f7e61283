import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { countByType } from '../../src/datasets/compare-versions.ts';
import type { EngineSample } from '../../src/datasets/engine-data.ts';
import { appendVersion } from '../../src/datasets/versions.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const facts = {
  teacher: 'local',
  promptVersion: 'generate-v1',
  seed: 1,
  cost: { promptTokens: 900, completionTokens: 100 },
  rejected: 3,
  rejectedByReason: { skip: 2, duplicate: 1 },
};

/** A sample about an image. */
export function engineSample(imageId: number, changes: Partial<EngineSample> = {}): EngineSample {
  return {
    image_id: imageId,
    raw_instructions: `Question: What is in image ${imageId}?`,
    question_type: 'image_scene',
    question: `What's in image ${imageId}?`,
    choices: ['a cat', 'a dog', 'ein Hügel', '山'],
    correct_choice_idx: imageId % 4,
    rationales: ['Explanation: one sees it.'],
    ...changes,
  };
}

/** A run's folder, by default one of this test, and a way to append a round's samples to it. */
export async function versionedRun(folder?: string) {
  const runRoot = folder ?? (await temporaryFolder());
  const append = async (round: number, samples: EngineSample[]) => {
    const name = `DataEngine_round${round}_data.json`;
    const path = join(runRoot, name);
    await writeFile(path, JSON.stringify(samples));
    const files = [{ name, path, samples: samples.length }];
    return appendVersion(runRoot, { round, files, countsByType: countByType(samples), ...facts });
  };
  return { runRoot, append, facts };
}
