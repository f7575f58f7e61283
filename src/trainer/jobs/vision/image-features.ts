/** What the language model is given for images, computed once an image: the vision side is frozen. */
import pLimit from 'p-limit';
import { hashBytes, hashValue } from '../../../core/hash.ts';
import type { OpenSettings } from '../../../core/images/open-image.ts';
import { withImageFile } from '../../../core/images/read-image-file.ts';
import { InputError } from '../../../core/input-error.ts';
import { type Family, familyOf } from '../../../model/families/index.ts';
import type { Adapter } from '../../../model/files/adapter.ts';
import type { ModelDirectory } from '../../../model/files/model-directory.ts';
import type { TensorDirectory } from '../../../model/files/tensor-directory.ts';
import { preprocessImage } from '../../../model/images/preprocess.ts';
import { type PreprocessorConfig, readPreprocessorConfig } from '../../../model/images/processor-config.ts';
import { Program } from '../../../model/ops/program.ts';
import type { Weights } from '../../../model/ops/tape.ts';
import { frozen, Tape, type Variable } from '../../../model/ops/tape.ts';
import { nativeBinding } from '../../../model/ops/tensorflow.ts';
import { sizeOf, type Value } from '../../../model/ops/value.ts';
import { loadWeights } from '../frozen-weights.ts';
import { adaptVision } from './adapted-vision.ts';
import { type ImageCacheSettings, imageCacheSettings, openImageCache } from './image-cache.ts';
import { imageParts } from './image-entry.ts';

/** Images that go through the vision side at once. */
export const IMAGE_BATCH = 16;

/** What a finetune is given for images. */
export interface ImageSource {
  /** What is entered for these images as one array, float32; zeros for none. */
  batch(files: readonly (string | undefined)[]): Float32Array | Promise<Float32Array>;
  dispose(): void;
}

/** Image embeddings by file. */
export interface ImageFeatures extends ImageSource {
  /** The embeddings of these images as one array, float32 `[files.length * queries, hidden]`; zeros for none. */
  batch(files: readonly (string | undefined)[]): Float32Array;
  /** Frees the weights of the projection. */
  dispose(): void;
}

export interface FeatureOptions extends OpenSettings {
  /** Its part on the vision side, if it has one, is added to the weights. */
  adapter?: Adapter;
  /** Called after every batch with the number of images done. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
  /** Where results are kept for later runs; by default as the environment says. */
  cacheSettings?: ImageCacheSettings;
}

/**
 * Runs the vision side over images, but for those that a cache has from an earlier run.
 *
 * @param vision.trace what to compute of `[batch, 3, size, size]` pixels: one row group an image
 * @returns float32 arrays, one a file, in their order
 * @throws InputError for an image that is missing or truncated, or a preprocessor of another size than the model
 */
export async function runVision(
  model: TensorDirectory,
  files: readonly string[],
  vision: {
    /** Side of the images that the model sees, in pixels. */
    imageSize: number;
    trace: (tape: Tape, weights: Weights, pixels: Value) => Variable;
  },
  { onProgress, signal, adapter, exif = 'apply', cacheSettings = imageCacheSettings() }: FeatureOptions = {},
): Promise<Float32Array[]> {
  const size = vision.imageSize;
  const preprocessor = await readPreprocessorConfig(model.directory);
  requireSize(preprocessor, size, model.directory);
  const program = new Program();
  try {
    const adapted = adaptVision(program, model, adapter);
    let length = 0;
    program.define(
      'vision',
      { pixels: { shape: [IMAGE_BATCH, 3, size, size], dataType: 'float32' } },
      (ops, inputs) => {
        const rows = vision.trace(new Tape(ops), adapted.weights(ops), inputs.pixels).value;
        length = sizeOf(rows.shape) / IMAGE_BATCH;
        return { rows };
      },
    );
    const cache =
      cacheSettings &&
      openImageCache(cacheSettings, await computationHash(program, model, adapted.factors, { preprocessor, exif }));
    const hashes = await hashesOf(files);
    const known = new Map<string, Float32Array>();
    if (cache) {
      const limit = pLimit(MAX_CONCURRENT_FILES);
      const look = async (hash: string) => {
        signal?.throwIfAborted();
        const values = await cache.read(hash, length);
        if (values) known.set(hash, values);
      };
      await Promise.all([...new Set(hashes)].map((hash) => limit(look, hash)));
    }
    const done = () => hashes.reduce((count, hash) => count + (known.has(hash) ? 1 : 0), 0);
    if (known.size > 0) onProgress?.(done(), files.length);

    const fileOfHash = new Map(hashes.map((hash, index) => [hash, files[index] as string]));
    const missing = [...fileOfHash].filter(([hash]) => !known.has(hash));
    if (missing.length > 0) {
      program.load();
      await loadWeights(program, model);
      program.assignAll(adapted.factors);
    }
    const pixelsOf = (start: number) =>
      Promise.all(
        missing.slice(start, start + IMAGE_BATCH).map(([, file]) => preprocessImage(file, preprocessor, { exif })),
      );
    let upcoming = pixelsOf(0);
    for (let start = 0; start < missing.length; start += IMAGE_BATCH) {
      const images = await upcoming;
      signal?.throwIfAborted();
      upcoming = pixelsOf(start + IMAGE_BATCH);
      // Awaited on the next turn; a bad image must not be reported as unhandled before that.
      upcoming.catch(() => {});
      const pixels = new Float32Array(IMAGE_BATCH * 3 * size * size);
      images.forEach((image, index) => pixels.set(image, index * image.length));
      const rows = program.run('vision', { pixels }).rows as Float32Array;
      const written = missing.slice(start, start + IMAGE_BATCH).map(([hash], index) => {
        const values = rows.slice(index * length, (index + 1) * length);
        known.set(hash, values);
        return cache?.write(hash, values);
      });
      await Promise.all(written);
      onProgress?.(done(), files.length);
    }
    if (missing.length > 0) await cache?.trim();
    return hashes.map((hash) => known.get(hash) as Float32Array);
  } finally {
    program.dispose();
  }
}

/**
 * What the values of an image depend on beside its content: the traced graph, the weights it uses and no others
 * (merging an adapter changes only the language model), the preprocessing, and the device.
 */
async function computationHash(
  program: Program,
  model: TensorDirectory,
  factors: ReadonlyMap<string, Float32Array>,
  pixels: { preprocessor: PreprocessorConfig } & OpenSettings,
): Promise<string> {
  const hashOf = (data: Float32Array) => hashBytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const weights: [name: string, hash: string][] = [...factors].map(([name, data]) => [name, hashOf(data)]);
  for (const name of model.names().filter((candidate) => program.has(candidate))) {
    weights.push([name, hashOf((await model.read(name)).data)]);
  }
  const binding = nativeBinding();
  return hashValue({
    graph: hashBytes(program.definition()),
    weights,
    ...pixels,
    device: [binding.TF_Version, binding.isUsingGpuDevice(), process.env.NVIDIA_TF32_OVERRIDE ?? null],
  });
}

const MAX_CONCURRENT_FILES = 8;

async function hashesOf(files: readonly string[]): Promise<string[]> {
  const limit = pLimit(MAX_CONCURRENT_FILES);
  return Promise.all(files.map((file) => limit(() => withImageFile(file, hashBytes))));
}

/** @throws InputError for a preprocessor that makes images of another size than the model takes */
export function requireSize({ height, width }: PreprocessorConfig, size: number, directory: string): void {
  if (height === size && width === size) return;
  throw new InputError({
    file: directory,
    field: 'preprocessor_config.json',
    problem: `makes images of ${height} × ${width} pixels, the vision encoder takes ${size} × ${size}`,
    remedy: 'Take config.json and preprocessor_config.json from the same model',
  });
}

/**
 * Runs the vision side over all distinct files. What the language model is given is projected from it when a batch
 * is requested: what is kept, here and in the cache, has the width of the vision side, which for a large language
 * model is a fifth of its own, and is what `embed` makes of the same images.
 */
export async function imageFeatures(
  model: ModelDirectory,
  files: readonly string[],
  options: FeatureOptions = {},
): Promise<ImageFeatures> {
  const distinct = [...new Set(files)];
  const family = familyOf(model.config);
  const vision = { imageSize: family.imageSize, trace: family.visionFeatures };
  const features = await runVision(model, distinct, vision, options);
  const rowsOf = new Map(distinct.map((file, index) => [file, features[index] as Float32Array]));
  const projection = await loadProjection(model, family, features[0]?.length ?? 0, options.adapter);
  const length = family.imageTokens * model.config.text_config.hidden_size;
  return {
    batch(wanted) {
      const result = new Float32Array(wanted.length * length);
      for (let start = 0; start < wanted.length; start += IMAGE_BATCH) {
        const shown = wanted.slice(start, start + IMAGE_BATCH);
        if (shown.every((file) => file === undefined)) continue;
        const rows = projection.run(shown.map((file) => (file === undefined ? undefined : rowsOf.get(file))));
        for (const [index, file] of shown.entries()) {
          if (file === undefined) continue;
          result.set(rows.subarray(index * length, (index + 1) * length), (start + index) * length);
        }
      }
      return result;
    },
    dispose: () => projection.dispose(),
  };
}

/**
 * As `imageFeatures`, without the projection: of each image what the vision side makes of it, `[imageTokens, width]`.
 */
export async function unprojectedFeatures(
  model: ModelDirectory,
  files: readonly string[],
  options: FeatureOptions = {},
): Promise<ImageSource> {
  const distinct = [...new Set(files)];
  const { imageSize, visionFeatures } = familyOf(model.config);
  const features = await runVision(model, distinct, { imageSize, trace: visionFeatures }, options);
  const rowsOf = new Map(distinct.map((file, index) => [file, features[index] as Float32Array]));
  const length = sizeOf(imageParts(model.config).vision.shape);
  return {
    batch(wanted) {
      const result = new Float32Array(wanted.length * length);
      for (const [index, file] of wanted.entries()) {
        if (file !== undefined) result.set(rowsOf.get(file) as Float32Array, index * length);
      }
      return result;
    },
    dispose: () => undefined,
  };
}

interface Projection {
  /** @param features at most `IMAGE_BATCH` images' rows `[imageTokens, width]` */
  run(features: readonly (Float32Array | undefined)[]): Float32Array;
  dispose(): void;
}

async function loadProjection(
  model: ModelDirectory,
  family: Family,
  length: number,
  adapter?: Adapter,
): Promise<Projection> {
  const program = new Program();
  const adapted = adaptVision(program, model, adapter);
  const rows = IMAGE_BATCH * family.imageTokens;
  const width = length / family.imageTokens;
  if (length > 0) {
    program.define('projection', { features: { shape: [rows, width], dataType: 'float32' } }, (ops, inputs) => ({
      rows: family.project(new Tape(ops), adapted.weights(ops), frozen(inputs.features)).value,
    }));
    try {
      program.load();
      await loadWeights(program, model);
      program.assignAll(adapted.factors);
    } catch (error) {
      program.dispose();
      throw error;
    }
  }
  return {
    run(images) {
      const features = new Float32Array(rows * width);
      for (const [index, image] of images.entries()) if (image) features.set(image, index * length);
      return program.run('projection', { features }).rows as Float32Array;
    },
    dispose: () => program.dispose(),
  };
}
