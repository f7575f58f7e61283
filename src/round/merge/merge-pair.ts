/** Merges any adapter into any model, outside of a run. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillFolder } from '../../core/files.ts';
import { writeFileAtomically, writeJsonLines } from '../../core/write-file.ts';
import type { TrainingSample } from '../../datasets/train-dataset.ts';
import { writeAskingFiles } from '../../model/files/asking-files.ts';
import type { MergeJob } from '../../trainer/protocol.ts';
import { runJob, type TrainerContext } from '../../trainer/supervisor/trainer-step.ts';
import { parityTolerance } from './merge.ts';

/** An image of noise, 8 × 8 pixels: merged and unmerged models are compared on it. */
const image = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAA00lEQVR42gHIADf/AEQggjz95vHCazD5DsfdAeSIdTSiDwsNBADDbtgOceD9d7' +
    'B2cOuUC9UzX5c9qthhm5EA/8kR9XzO1Fi7vyzgN1PJvfoP8BadyVdWAHQGZnbPsLTriQLEQmnaHPa6ZtP4ttSxAACp6g51WlwughAkKgjnB49/' +
    'iThesJQjVVEAglaLluik/vI6DJ/Fr9dghDeBa90KcwnLAEoSUuTacOZyD8qk2h6YQGwYnCQnnphR1QCBQgQTb+tXE8FmsTJp3WP8NceX/wimzZ' +
    'BmqmC6p+3IBAAAAABJRU5ErkJggg==',
  'base64',
);

export interface MergePairInput {
  /** Model directory. */
  base: string;
  /** Directory of a PEFT adapter. */
  adapter: string;
  /** Model directory to write; it must not exist yet, or be empty. */
  output: string;
  /** Of the merged model's weights. Default: base. */
  dtype?: MergeJob['dtype'];
  context: TrainerContext;
}

/**
 * Writes base + adapter as a model directory, and compares its logits with those of the unmerged pair.
 *
 * @returns the largest difference of a logit
 * @throws InputError for a model or adapter that can't be used or don't fit, and for an output that is not empty
 */
export async function mergePair({
  base,
  adapter,
  output,
  dtype,
  context,
}: MergePairInput): Promise<{ parity: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'dataengine-merge-'));
  try {
    const samples = join(directory, 'samples.jsonl');
    await writeParitySamples(samples, join(directory, 'noise.png'));
    const { metrics } = await fillFolder(output, async (temporary) => {
      const outcome = await runJob(context, directory, {
        kind: 'merge',
        model: base,
        adapter,
        output: temporary,
        dtype,
        parity: { samples, count: 2, tolerance: parityTolerance },
      });
      await writeAskingFiles(temporary);
      return outcome;
    });
    return { parity: metrics?.maximumDifference ?? Number.NaN };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** One with an image and one without: the adapter may be on the vision side. */
async function writeParitySamples(file: string, imageFile: string): Promise<void> {
  await writeFileAtomically(imageFile, image);
  const sample: TrainingSample = {
    id: 'image',
    source: 'merge',
    image: imageFile,
    prompt: 'What is shown here?',
    answer: 'The image shows colors without any pattern.',
  };
  const { image: _, ...words } = sample;
  await writeJsonLines(file, [sample, { ...words, id: 'words', prompt: 'What color is the sky?', answer: 'Blue.' }]);
}
