/** Makes a domain's stage-1 checkpoint from scratch: tokenizer, then every weight, from rendered images. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { hashValue } from '../../src/core/hash.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { familyOf } from '../../src/model/families/index.ts';
import { type Blip2Config, blip2ConfigSchema } from '../../src/model/families/minigpt4/config.ts';
import { miniGpt4PromptForm } from '../../src/model/families/minigpt4/prompt.ts';
import { queryTransformer } from '../../src/model/families/minigpt4/query-transformer.ts';
import { visionEncoder } from '../../src/model/families/minigpt4/vision-encoder.ts';
import { writeModelDirectory } from '../../src/model/files/model-directory.ts';
import { openSafetensors, writeSafetensors } from '../../src/model/files/safetensors.ts';
import { viewsOf } from '../../src/model/flat-parameters.ts';
import { Program } from '../../src/model/ops/program.ts';
import { frozen, Tape } from '../../src/model/ops/tape.ts';
import { loadTokenizer, type Tokenizer } from '../../src/model/text/tokenizer.ts';
import { type BatchShape, batchShape, collate } from '../../src/trainer/jobs/batch.ts';
import { readNewestCheckpoint, writeCheckpoint } from '../../src/trainer/jobs/finetune/checkpoint.ts';
import { learningRateAt } from '../../src/trainer/jobs/finetune/optimizer.ts';
import { type Sequence, trainingSequence } from '../../src/trainer/jobs/sequence.ts';
import type { JobReporter } from '../../src/trainer/trainer-side.ts';
import type { PretrainingDomain } from './domain.ts';
import { pretrainProgram } from './pretrain-program.ts';
import { STAGE1_MODEL, type Stage1Settings } from './stage1-settings.ts';
import { writeStage1Tokenizer } from './stage1-tokenizer.ts';
import { visionProgram } from './vision-program.ts';

/** Texts of a kind looked at to find the shape that its batches are padded to. */
const SHAPE_SURVEY = 1024;
const CHECKPOINT_EVERY_STEPS = 500;
const RENDERED_TOGETHER = 8;
/** Pixels are normalized as (value / 255 - 0.5) / 0.5, which `preprocessor_config.json` says too. */
const toInput = Float32Array.from({ length: 256 }, (_, value) => value / 127.5 - 1);

/**
 * Trains and writes the model directory (safetensors, float16).
 *
 * Deterministic for the same settings on the same machine; across machines the kernels' order of summation
 * may differ in the last bits.
 *
 * @param work folder for checkpoints: an interrupted run resumes from there
 */
export async function makeStage1<Scene>(
  domain: PretrainingDomain<Scene>,
  output: string,
  settings: Stage1Settings,
  work: string,
  reporter: JobReporter,
): Promise<{ loss: number }> {
  const textKinds = Object.keys(domain.textKinds);
  const kindWeights = Object.values(domain.textKinds);
  await writeStage1Tokenizer(domain, work, settings);
  const tokenizer = await loadTokenizer(work);
  const config = blip2ConfigSchema.parse({
    ...STAGE1_MODEL,
    image_token_index: tokenizer.tokenId('<ImageHere>'),
    text_config: {
      ...STAGE1_MODEL.text_config,
      vocab_size: tokenizer.vocabularySize,
      bos_token_id: tokenizer.tokenId('<s>'),
      eos_token_id: tokenizer.tokenId('</s>'),
      pad_token_id: tokenizer.tokenId('<pad>'),
    },
  });
  reporter.note(`tokenizer: ${tokenizer.vocabularySize} tokens; rendering ${settings.images} images`);
  const scenes = stage1Scenes(domain, settings);
  const images = await renderAll(domain, scenes, config.vision_config.image_size);

  const visionTensors = await trainVision({ domain, config, scenes, images, settings, work, reporter });

  reporter.note('image features');
  const features = queryFeatures(config, visionTensors, images);

  const sample = sampler(domain, scenes, tokenizer, config.num_query_tokens, settings);
  const shapes = new Map<string, BatchShape>();
  for (const kind of textKinds) {
    const survey = await samplesFrom(sample, kind, 0, SHAPE_SURVEY);
    const shape = batchShape(survey.map(({ sequence }) => sequence));
    shapes.set(kind, { ...shape, batch: settings.language.batchSize });
  }
  const program = pretrainProgram(config, [...shapes.values()], settings.seed);
  const jobHash = hashValue({ settings, config: STAGE1_MODEL, texts: domain.textKinds });
  const checkpoints = path.join(work, 'language');
  const resumed = await readNewestCheckpoint(checkpoints, jobHash, reporter.note);
  if (resumed) program.write(resumed.arrays);

  const { steps, batchSize } = settings.language;
  const started = performance.now();
  const first = resumed?.step ?? 0;
  let smoothed = Number.NaN;
  for (let step = first; step < steps; step++) {
    // One kind a batch: texts of like length waste little padding.
    const kind = seededRandom(settings.seed).fork('kind').fork(step).pickWeighted(textKinds, kindWeights);
    const shape = shapes.get(kind) as BatchShape;
    const samples = await samplesFrom(sample, kind, step * batchSize, batchSize);
    const sequences = samples.map(({ sequence }) => cut(sequence, shape));
    const learningRate = learningRateAt(step, steps, settings.language.learningRate);
    const { loss } = program.step({
      shape,
      batch: collate(sequences, shape, config.num_query_tokens),
      queries: stacked(samples.map(({ scene }) => features[scene] as Float32Array)),
      step,
      learningRate,
      weightDecay: settings.weightDecay,
    });
    if (kind === domain.reportedKind) smoothed = Number.isNaN(smoothed) ? loss : 0.95 * smoothed + 0.05 * loss;
    const seconds = (performance.now() - started) / 1000;
    const etaSeconds = (seconds / (step + 1 - first)) * (steps - step - 1);
    reporter.progress({ step: step + 1, steps, loss: smoothed, learningRate, etaSeconds });
    await new Promise(setImmediate);
    reporter.signal.throwIfAborted();
    if ((step + 1) % CHECKPOINT_EVERY_STEPS === 0) {
      await writeCheckpoint(checkpoints, jobHash, { step: step + 1, arrays: program.read() });
    }
  }
  const trained = new Map([...visionTensors, ...viewsOf(program.layout, program.read().parameters)]);
  await writeModelDirectory(output, {
    config,
    tensors: [...familyOf(config).expectedTensors()].map(([name, shape]) => ({
      name,
      shape,
      data: trained.get(name) as Float32Array,
    })),
    dtype: 'F16',
    copyFrom: work,
  });
  program.dispose();
  return { loss: smoothed };
}

interface VisionTraining<Scene> {
  domain: PretrainingDomain<Scene>;
  config: Blip2Config;
  scenes: readonly Scene[];
  images: readonly Uint8Array[];
  settings: Stage1Settings;
  work: string;
  reporter: JobReporter;
}

/** The first phase. Its result is kept in `work`, so that the second phase can be repeated without it. */
async function trainVision<Scene>({
  domain,
  config,
  scenes,
  images,
  settings,
  work,
  reporter,
}: VisionTraining<Scene>): Promise<Map<string, Float32Array>> {
  const { steps, batchSize, learningRate: schedule } = settings.vision;
  const { language: _later, ...own } = settings;
  const directory = path.join(
    work,
    `vision-${hashValue({ own, vision: STAGE1_MODEL.vision_config, queries: STAGE1_MODEL.qformer_config }).slice(0, 12)}`,
  );
  const file = path.join(directory, 'model.safetensors');
  const known = await readTensors(file);
  if (known) return known;
  const program = visionProgram(domain.vision, config, batchSize, settings.seed);
  const random = seededRandom(settings.seed).fork('vision');
  let smoothed = Number.NaN;
  for (let step = 0; step < steps; step++) {
    const chosen = Array.from({ length: batchSize }, () => random.integer(scenes.length));
    const learningRate = learningRateAt(step, steps, schedule);
    const { placeLoss } = program.step({
      scenes: chosen.map((index) => scenes[index] as Scene),
      pixels: toPixels(chosen.map((index) => images[index] as Uint8Array)),
      step,
      learningRate,
      weightDecay: settings.weightDecay,
    });
    smoothed = Number.isNaN(smoothed) ? placeLoss : 0.95 * smoothed + 0.05 * placeLoss;
    reporter.progress({ step: step + 1, steps, loss: smoothed, learningRate });
    await new Promise(setImmediate);
    reporter.signal.throwIfAborted();
  }
  const tensors = program.tensors();
  await mkdir(directory, { recursive: true });
  await writeSafetensors(
    file,
    [...tensors].map(([name, data]) => ({ name, shape: [data.length], data })),
  );
  program.dispose();
  return tensors;
}

/** Images whose features are computed together. */
const FEATURE_BATCH = 32;

/** The trained Q-Former's output for every image, float32 `[queries, hidden]` each. */
function queryFeatures(
  config: Blip2Config,
  tensors: ReadonlyMap<string, Float32Array>,
  images: readonly Uint8Array[],
): Float32Array[] {
  const size = config.vision_config.image_size;
  const shapes = familyOf(config).expectedTensors();
  const program = new Program();
  const inputs = { pixels: { shape: [FEATURE_BATCH, 3, size, size], dataType: 'float32' } } as const;
  program.define('features', inputs, (ops, { pixels }) => {
    const tape = new Tape(ops);
    const weights = (name: string) => frozen(program.variable(name, shapes.get(name) as number[]));
    const visionFeatures = visionEncoder(tape, weights, config, pixels);
    return { features: queryTransformer(tape, weights, config, visionFeatures, FEATURE_BATCH).value };
  });
  program.load();
  for (const [name, data] of tensors) if (program.has(name)) program.assign(name, data);
  const results: Float32Array[] = [];
  for (let start = 0; start < images.length; start += FEATURE_BATCH) {
    const group = images.slice(start, start + FEATURE_BATCH);
    const pixels = new Float32Array(FEATURE_BATCH * 3 * size * size);
    pixels.set(toPixels(group));
    const rows = program.run('features', { pixels }).features as Float32Array;
    const length = rows.length / FEATURE_BATCH;
    group.forEach((_, index) => results.push(rows.slice(index * length, (index + 1) * length)));
  }
  program.dispose();
  return results;
}

function stacked(arrays: readonly Float32Array[]): Float32Array {
  const length = (arrays[0] as Float32Array).length;
  const result = new Float32Array(arrays.length * length);
  arrays.forEach((array, index) => result.set(array, index * length));
  return result;
}

async function readTensors(file: string): Promise<Map<string, Float32Array> | undefined> {
  if (!existsSync(file)) return undefined;
  const tensors = await openSafetensors(file);
  try {
    const read = new Map<string, Float32Array>();
    for (const name of tensors.tensors.keys()) read.set(name, await tensors.read(name));
    return read;
  } finally {
    await tensors.close();
  }
}

/** The scenes of stage 1. */
function stage1Scenes<Scene>(domain: PretrainingDomain<Scene>, { seed, images }: Stage1Settings): Scene[] {
  return Array.from({ length: images }, (_, index) => domain.draw(seededRandom(seed).fork('scene').fork(index)));
}

async function renderAll<Scene>(
  domain: PretrainingDomain<Scene>,
  scenes: readonly Scene[],
  size: number,
): Promise<Uint8Array[]> {
  const images: Uint8Array[] = [];
  for (let start = 0; start < scenes.length; start += RENDERED_TOGETHER) {
    const group = scenes.slice(start, start + RENDERED_TOGETHER);
    images.push(...(await Promise.all(group.map((scene) => domain.pixels(scene, size)))));
  }
  return images;
}

/** Sample `index` of the endless stream of a kind: a scene, and a text about it. */
type Sampler = (kind: string, index: number) => Promise<{ scene: number; sequence: Sequence }>;

function samplesFrom(
  sample: Sampler,
  kind: string,
  first: number,
  count: number,
): Promise<Awaited<ReturnType<Sampler>>[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => sample(kind, first + index)));
}

function sampler<Scene>(
  domain: PretrainingDomain<Scene>,
  scenes: readonly Scene[],
  tokenizer: Tokenizer,
  queries: number,
  { seed }: Stage1Settings,
): Sampler {
  const beginToken = tokenizer.tokenId('<s>') ?? 0;
  const settings = { tokenizer, queries, maximumTokens: 128, beginToken, form: miniGpt4PromptForm };
  const root = seededRandom(seed).fork('text');
  return async (kind, index) => {
    const random = root.fork(kind).fork(index);
    const scene = random.integer(scenes.length);
    const { prompt, answer } = domain.text(kind, scenes[scene] as Scene, random);
    return { scene, sequence: await trainingSequence(prompt, answer, settings) };
  };
}

/** Truncates the rare text that is longer than all of the survey. */
function cut(sequence: Sequence, { tokens, targets }: BatchShape): Sequence {
  const length = Math.min(tokens, sequence.answerStart + targets);
  return { ...sequence, tokenIds: sequence.tokenIds.slice(0, length) };
}

/** RGB bytes `[size, size, 3]` of images as float32 `[batch, 3, size, size]`. */
function toPixels(images: readonly Uint8Array[]): Float32Array {
  const plane = (images[0] as Uint8Array).length / 3;
  const pixels = new Float32Array(images.length * plane * 3);
  images.forEach((image, index) => {
    for (let channel = 0; channel < 3; channel++) {
      const start = (index * 3 + channel) * plane;
      for (let place = 0; place < plane; place++) {
        pixels[start + place] = toInput[image[place * 3 + channel] as number] as number;
      }
    }
  });
  return pixels;
}
