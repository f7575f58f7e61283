/** The merge job: base + adapter as one model directory, checked against the unmerged pair. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { InputError } from '../../../core/input-error.ts';
import { readJsonLines } from '../../../core/read-json.ts';
import { writeFileAtomically } from '../../../core/write-file.ts';
import { trainingSampleSchema } from '../../../datasets/train-dataset.ts';
import { familyOf } from '../../../model/families/index.ts';
import { type Adapter, readAdapter } from '../../../model/files/adapter.ts';
import {
  type ModelDirectory,
  modelFiles,
  readModelDirectory,
  writeModelDirectory,
} from '../../../model/files/model-directory.ts';
import { loadTokenizer } from '../../../model/text/tokenizer.ts';
import type { JobOutcome, MergeJob, SettingsOf } from '../../protocol.ts';
import type { JobReporter } from '../../trainer-side.ts';
import { batchShape, collate } from '../batch.ts';
import { requireConversations, sampleSequence, shownImages } from '../conversation.ts';
import { promptSettings } from '../sequence.ts';
import { adaptsVision } from '../vision/adapted-vision.ts';
import { imageFeatures } from '../vision/image-features.ts';
import { batchLogits } from './logits.ts';
import { mergedTensors, pairOf } from './merged-tensors.ts';
import { allowedDifference } from './rounding.ts';

const MAXIMUM_TOKENS = 512;

/**
 * Merges, and compares the logits of a few samples with those of base and adapter. A job that was ended while it compared
 * does not merge again (`written`).
 *
 * @throws InputError when an adapter's layer is not in the model, or has another size, and when merged and
 *   unmerged logits differ by more than the tolerance: merging again would give the same
 */
export async function merge(settings: SettingsOf<MergeJob>, reporter: JobReporter): Promise<JobOutcome> {
  const { written, output } = settings;
  const base = await readModelDirectory(settings.model);
  try {
    const adapter = await readAdapter(settings.adapter, familyOf(base.config).publishedName);
    if (!written || !existsSync(written)) {
      await writeMerged(base, adapter, settings, reporter);
      if (written) await writeFileAtomically(written, '');
    }
    const maximumDifference = await compare(base, adapter, settings).catch(async (error: unknown) => {
      // Files that were damaged since are not to be compared again.
      if (written && error instanceof InputError) await rm(written, { force: true });
      throw error;
    });
    return {
      outputs: await modelFiles(output),
      metrics: { maximumDifference, adaptedLayers: adapter.tensors.size },
    };
  } finally {
    await base.close();
  }
}

async function writeMerged(
  base: ModelDirectory,
  adapter: Adapter,
  settings: SettingsOf<MergeJob>,
  reporter: JobReporter,
): Promise<void> {
  const { tensors, unchanged, dtype } = mergedTensors(base, adapter, settings, reporter);
  const { output, model } = settings;
  await writeModelDirectory(output, { config: base.config, tensors, unchanged, dtype, copyFrom: model });
  reporter.requireFence();
}

/** The largest difference of any logit. @throws InputError when it is more than the tolerance */
async function compare(base: ModelDirectory, adapter: Adapter, settings: SettingsOf<MergeJob>): Promise<number> {
  const { difference, allowed } = await parity(base, adapter, settings);
  if (difference <= allowed) return difference;
  throw new InputError({
    file: settings.adapter,
    problem: `the merged model's logits differ from those of base + adapter by ${difference}, more than ${allowed}`,
    remedy:
      'The adapter may have grown out of bounds: lower finetune.learningRate.peak, and finetune again. Or set merge.dtype: float32',
  });
}

/** The largest difference of any logit between the merged model and base + adapter. One of them is in memory at a time. */
async function parity(
  base: ModelDirectory,
  adapter: Adapter,
  settings: SettingsOf<MergeJob>,
): Promise<{ difference: number; allowed: number }> {
  const tokenizer = await loadTokenizer(settings.model);
  const samples = (await readJsonLines(settings.parity.samples, trainingSampleSchema)).slice(0, settings.parity.count);
  if (samples.length === 0) return { difference: 0, allowed: settings.parity.tolerance };
  const sequenceSettings = {
    ...promptSettings(base, tokenizer, undefined, settings.family?.promptForm),
    maximumTokens: MAXIMUM_TOKENS,
  };
  const { queries } = sequenceSettings;
  requireConversations(settings.parity.samples, samples, sequenceSettings.form, settings.model);
  const sequences = await Promise.all(samples.map((sample) => sampleSequence(sample, sequenceSettings)));
  const shape = batchShape(sequences);
  const batch = collate(sequences, shape, queries);
  const files = shownImages(samples, sequences).flat();
  const paths = files.flatMap((file) => file ?? []);
  const embedded = async (model: ModelDirectory, adaptedBy?: Adapter) => {
    const features = await imageFeatures(model, paths, { adapter: adaptedBy, exif: settings.exif });
    const embeddings = features.batch(files);
    features.dispose();
    return embeddings;
  };
  const logits = (model: ModelDirectory, images: Float32Array, unmerged?: Adapter) =>
    batchLogits(model, shape, batch, images, unmerged, (name) => {
      if (model.dtypeOf(name) === 'BF16') return 'bfloat16';
      // A narrower type rounds the same weights alike in both models; what the adapter changes would be rounded apart.
      return pairOf(adapter, name) ? 'float32' : (settings.parity.weightDtype ?? 'float32');
    });
  const images = await embedded(base, adapter);
  const expected = await logits(base, images, adapter);
  const merged = await readModelDirectory(settings.output);
  try {
    const seesOtherwise = adaptsVision(adapter) || (settings.dtype ?? 'base') !== 'base';
    const found = await logits(merged, seesOtherwise ? await embedded(merged) : images);
    const formats = [...adapter.tensors.keys()].map((module) => merged.dtypeOf(`${module}.weight`));
    return {
      difference: expected.reduce(
        (most, value, index) => Math.max(most, Math.abs(value - (found[index] as number))),
        0,
      ),
      allowed: allowedDifference(settings.parity.tolerance, formats, expected),
    };
  } finally {
    await merged.close();
  }
}
