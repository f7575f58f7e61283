/** The merge job: base + adapter as one model directory, checked against the unmerged pair. */
import { InputError } from '../../../core/input-error.ts';
import { readJsonLines } from '../../../core/read-json.ts';
import { trainingSampleSchema } from '../../../datasets/train-dataset.ts';
import { familyOf } from '../../../model/families/index.ts';
import { type Adapter, type LoraPair, readAdapter } from '../../../model/files/adapter.ts';
import {
  type ModelDirectory,
  modelFiles,
  readModelDirectory,
  writeModelDirectory,
} from '../../../model/files/model-directory.ts';
import type { WeightDtype } from '../../../model/ops/program.ts';
import { loadTokenizer } from '../../../model/text/tokenizer.ts';
import type { JobOutcome, MergeJob, SettingsOf } from '../../protocol.ts';
import type { JobReporter } from '../../trainer-side.ts';
import { batchShape, collate } from '../batch.ts';
import { requireConversations, sampleSequence, shownImages } from '../conversation.ts';
import { promptSettings } from '../sequence.ts';
import { adaptsVision } from '../vision/adapted-vision.ts';
import { imageFeatures } from '../vision/image-features.ts';
import { batchLogits } from './logits.ts';

const MAXIMUM_TOKENS = 512;

/**
 * `W + scaling * B A` for one weight, in float32.
 *
 * @param weight `[out, in]`
 */
export function mergedWeight(
  weight: { shape: readonly number[]; data: Float32Array },
  { A, B, scaling }: LoraPair,
): Float32Array {
  const [outputs, inputs] = weight.shape as [number, number];
  const merged = weight.data.slice();
  const rank = A.shape[0] as number;
  for (let row = 0; row < outputs; row++) {
    for (let inner = 0; inner < rank; inner++) {
      const factor = (B.data[row * rank + inner] as number) * scaling;
      if (factor === 0) continue;
      for (let column = 0; column < inputs; column++) {
        const place = row * inputs + column;
        merged[place] = (merged[place] as number) + factor * (A.data[inner * inputs + column] as number);
      }
    }
  }
  return merged;
}

/**
 * Merges, and compares the logits of a few samples with those of base and adapter.
 *
 * @throws InputError when an adapter's layer is not in the model, or has another size, and when merged and
 *   unmerged logits differ by more than the tolerance: merging again would give the same
 */
export async function merge(settings: SettingsOf<MergeJob>, reporter: JobReporter): Promise<JobOutcome> {
  const base = await readModelDirectory(settings.model);
  try {
    const adapter = await readAdapter(settings.adapter, familyOf(base.config).publishedName);
    await writeModelDirectory(settings.output, {
      config: base.config,
      tensors: mergedTensors(base, adapter, settings.adapter, reporter),
      dtype: 'F32',
      copyFrom: settings.model,
    });
    const maximumDifference = await parity(base, adapter, settings);
    if (!(maximumDifference <= settings.parity.tolerance)) {
      throw new InputError({
        file: settings.adapter,
        problem: `the merged model's logits differ from those of base + adapter by ${maximumDifference}, more than ${settings.parity.tolerance}`,
        remedy: 'The adapter may have grown out of bounds: lower finetune.learningRate.peak, and finetune again',
      });
    }
    return {
      outputs: await modelFiles(settings.output),
      metrics: { maximumDifference, adaptedLayers: adapter.tensors.size },
    };
  } finally {
    await base.close();
  }
}

function mergedTensors(base: ModelDirectory, adapter: Adapter, directory: string, reporter: JobReporter) {
  const names = base.names();
  const weightNames = new Set(names);
  for (const module of adapter.tensors.keys()) {
    if (weightNames.has(`${module}.weight`)) continue;
    throw new InputError({
      file: directory,
      field: module,
      problem: 'the base model has no such layer',
      remedy: 'Use the adapter with the model it was trained on',
    });
  }
  let done = 0;
  const read = async (name: string) => {
    const weight = await base.read(name);
    const pair = adapter.tensors.get(name.replace(/\.weight$/, ''));
    if (pair && (pair.B.shape[0] !== weight.shape[0] || pair.A.shape[1] !== weight.shape[1])) {
      throw new InputError({
        file: directory,
        field: name,
        problem: `adapts a weight of [${pair.B.shape[0]}, ${pair.A.shape[1]}], the model's is [${weight.shape.join(', ')}]`,
        remedy: 'Use the adapter with the model it was trained on',
      });
    }
    reporter.requireFence();
    reporter.progress({ step: ++done, steps: names.length });
    return pair ? mergedWeight(weight, pair) : weight.data;
  };
  // Read when its turn to be written comes: one at a time is in memory.
  const shapeOf = (name: string) => [...(base.shapes.get(name) as readonly number[])];
  return names.map((name) => ({ name, shape: shapeOf(name), data: () => read(name) }));
}

/** The largest difference of any logit between the merged model and base + adapter. */
async function parity(base: ModelDirectory, adapter: Adapter, settings: SettingsOf<MergeJob>): Promise<number> {
  const tokenizer = await loadTokenizer(settings.model);
  const samples = (await readJsonLines(settings.parity.samples, trainingSampleSchema)).slice(0, settings.parity.count);
  if (samples.length === 0) return 0;
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
  const images = await embedded(base, adapter);
  const merged = await readModelDirectory(settings.output);
  try {
    // A narrow type rounds the same weights alike in both models; what the adapter changes would be rounded apart.
    const weightDtype = (name: string): WeightDtype =>
      adapter.tensors.has(name.replace(/\.weight$/, '')) ? 'float32' : (settings.parity.weightDtype ?? 'float32');
    const expected = await batchLogits(base, shape, batch, images, adapter, weightDtype);
    const seenByMerged = adaptsVision(adapter) ? await embedded(merged) : images;
    const found = await batchLogits(merged, shape, batch, seenByMerged, undefined, weightDtype);
    return expected.reduce((most, value, index) => Math.max(most, Math.abs(value - (found[index] as number))), 0);
  } finally {
    await merged.close();
  }
}
