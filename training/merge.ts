/** The merge job: base + adapter as one model directory, checked against the unmerged pair. */
import { z } from 'zod';
import { type Adapter, readAdapter } from '../model/files/adapter.ts';
import { type ModelDirectory, readModelDirectory, writeModelDirectory } from '../model/files/model-directory.ts';
import { loadTokenizer } from '../model/text/tokenizer.ts';
import { InputError } from '../store/input-error.ts';
import { readJsonLines } from '../store/read-json.ts';
import { batchShape, collate } from './batch.ts';
import { beginToken } from './finetune.ts';
import { batchLogits } from './logits.ts';
import { pictureFeatures } from './picture-features.ts';
import type { JobOutcome, JobReporter } from './report-progress.ts';
import { trainingSequence } from './sequence.ts';

export interface MergeSettings {
  model: string;
  adapter: string;
  output: string;
  parity: { samples: string; count: number; tolerance: number };
}

const FILES = ['config.json', 'model.safetensors', 'tokenizer.json', 'preprocessor_config.json'];
const sampleSchema = z.looseObject({ picture: z.string().optional(), prompt: z.string(), answer: z.string() });
const MAXIMUM_TOKENS = 512;

/**
 * `W + (B A) * alpha / rank` for one weight, in float32.
 *
 * @param weight `[out, in]`
 */
export function mergedWeight(
  weight: { shape: readonly number[]; data: Float32Array },
  pair: { A: { data: Float32Array }; B: { data: Float32Array } },
  rank: number,
  alpha: number,
): Float32Array {
  const [outputs, inputs] = weight.shape as [number, number];
  const merged = weight.data.slice();
  const scaling = alpha / rank;
  for (let row = 0; row < outputs; row++) {
    for (let inner = 0; inner < rank; inner++) {
      const factor = (pair.B.data[row * rank + inner] as number) * scaling;
      if (factor === 0) continue;
      for (let column = 0; column < inputs; column++) {
        const place = row * inputs + column;
        merged[place] = (merged[place] as number) + factor * (pair.A.data[inner * inputs + column] as number);
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
export async function merge(settings: MergeSettings, reporter: JobReporter): Promise<JobOutcome> {
  const base = await readModelDirectory(settings.model);
  try {
    const adapter = await readAdapter(settings.adapter);
    await writeModelDirectory(settings.output, {
      config: base.config,
      tensors: await mergedTensors(base, adapter, settings.adapter, reporter),
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
    return { outputs: FILES, metrics: { maximumDifference, adaptedLayers: adapter.tensors.size } };
  } finally {
    await base.close();
  }
}

async function mergedTensors(base: ModelDirectory, adapter: Adapter, directory: string, reporter: JobReporter) {
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
  const tensors: { name: string; shape: number[]; data: Float32Array }[] = [];
  for (const [index, name] of names.entries()) {
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
    const { r: rank, lora_alpha: alpha } = adapter.config;
    tensors.push({ name, shape: weight.shape, data: pair ? mergedWeight(weight, pair, rank, alpha) : weight.data });
    reporter.progress({ step: index + 1, steps: names.length });
  }
  return tensors;
}

/** The largest difference of any logit between the merged model and base + adapter. */
async function parity(base: ModelDirectory, adapter: Adapter, settings: MergeSettings): Promise<number> {
  const tokenizer = await loadTokenizer(settings.model);
  const samples = (await readJsonLines(settings.parity.samples, sampleSchema)).slice(0, settings.parity.count);
  if (samples.length === 0) return 0;
  const queries = base.config.num_query_tokens;
  const sequences = samples.map(({ prompt, answer }) =>
    trainingSequence(prompt, answer, {
      tokenizer,
      queries,
      maximumTokens: MAXIMUM_TOKENS,
      beginToken: beginToken(base),
    }),
  );
  const shape = batchShape(sequences);
  const batch = collate(sequences, shape, queries);
  const pictured = samples.flatMap(({ picture }) => picture ?? []);
  const features = await pictureFeatures(base, pictured);
  const length = queries * base.config.text_config.hidden_size;
  const pictures = new Float32Array(shape.batch * length);
  samples.forEach(({ picture }, index) => {
    if (picture) pictures.set(features.batch([picture]), index * length);
  });
  const merged = await readModelDirectory(settings.output);
  try {
    const expected = await batchLogits(base, shape, batch, pictures, adapter);
    const found = await batchLogits(merged, shape, batch, pictures);
    return expected.reduce((most, value, index) => Math.max(most, Math.abs(value - (found[index] as number))), 0);
  } finally {
    await merged.close();
  }
}
