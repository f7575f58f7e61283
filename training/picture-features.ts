/** What the language model is given for pictures, computed once a picture: the vision side is frozen. */
import { familyOf } from '../model/families/index.ts';
import type { Adapter } from '../model/files/adapter.ts';
import type { ModelDirectory } from '../model/files/model-directory.ts';
import type { TensorDirectory } from '../model/files/tensor-directory.ts';
import { type PreprocessorConfig, preprocessPicture, readPreprocessorConfig } from '../model/images/preprocess.ts';
import type { Value } from '../model/ops/ops.ts';
import { Program } from '../model/ops/program.ts';
import { Tape, type Variable } from '../model/ops/tape.ts';
import type { Weights } from '../model/weights.ts';
import { InputError } from '../store/input-error.ts';
import { adaptVision } from './adapted-vision.ts';
import { loadWeights } from './frozen-weights.ts';

const BATCH = 16;

/** Picture embeddings by file. */
export interface PictureFeatures {
  /** The embeddings of these pictures as one array, float32 `[files.length * queries, hidden]`; zeros for none. */
  batch(files: readonly (string | undefined)[]): Float32Array;
}

export interface FeatureOptions {
  /** Its part on the vision side, if it has one, is added to the weights. */
  adapter?: Adapter;
  /** Called after every batch with the number of pictures done. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/**
 * Runs the vision side over pictures.
 *
 * @param vision.trace what to compute of `[batch, 3, size, size]` pixels: one row group a picture
 * @returns float32 arrays, one a file, in their order
 * @throws InputError for a picture that is missing or truncated, or a preprocessor of another size than the model
 */
export async function runVision(
  model: TensorDirectory,
  files: readonly string[],
  vision: {
    /** Side of the pictures that the model sees, in pixels. */
    imageSize: number;
    trace: (tape: Tape, weights: Weights, pixels: Value) => Variable;
  },
  { onProgress, signal, adapter }: FeatureOptions = {},
): Promise<Float32Array[]> {
  const size = vision.imageSize;
  const preprocessor = await readPreprocessorConfig(model.directory);
  requireSize(preprocessor, size, model.directory);
  const program = new Program();
  const adapted = adaptVision(program, model, adapter);
  program.define('vision', { pixels: { shape: [BATCH, 3, size, size], dataType: 'float32' } }, (ops, inputs) => ({
    rows: vision.trace(new Tape(ops), adapted.weights(ops), inputs.pixels).value,
  }));
  program.load();
  try {
    await loadWeights(program, model);
    program.assignAll(adapted.factors);
    const results: Float32Array[] = [];
    const pixelsOf = (start: number) =>
      Promise.all(files.slice(start, start + BATCH).map((file) => preprocessPicture(file, preprocessor)));
    let upcoming = pixelsOf(0);
    for (let start = 0; start < files.length; start += BATCH) {
      const pictures = await upcoming;
      signal?.throwIfAborted();
      upcoming = pixelsOf(start + BATCH);
      // Awaited on the next turn; a bad picture must not be reported as unhandled before that.
      upcoming.catch(() => {});
      const pixels = new Float32Array(BATCH * 3 * size * size);
      pictures.forEach((picture, index) => pixels.set(picture, index * picture.length));
      const rows = program.run('vision', { pixels }).rows as Float32Array;
      const length = rows.length / BATCH;
      for (let index = 0; index < pictures.length; index++) {
        results.push(rows.slice(index * length, (index + 1) * length));
      }
      onProgress?.(results.length, files.length);
    }
    return results;
  } finally {
    program.dispose();
  }
}

function requireSize({ height, width }: PreprocessorConfig, size: number, directory: string): void {
  if (height === size && width === size) return;
  throw new InputError({
    file: directory,
    field: 'preprocessor_config.json',
    problem: `makes pictures of ${height} × ${width} pixels, the vision encoder takes ${size} × ${size}`,
    remedy: 'Take config.json and preprocessor_config.json from the same model',
  });
}

/** Computes the picture embeddings of all distinct files. */
export async function pictureFeatures(
  model: ModelDirectory,
  files: readonly string[],
  options: FeatureOptions = {},
): Promise<PictureFeatures> {
  const distinct = [...new Set(files)];
  const family = familyOf(model.config);
  const vision = { imageSize: family.imageSize, trace: family.pictureEmbeddings };
  const rows = await runVision(model, distinct, vision, options);
  const byFile = new Map(distinct.map((file, index) => [file, rows[index] as Float32Array]));
  const length = family.pictureTokens * model.config.text_config.hidden_size;
  return {
    batch(wanted) {
      const result = new Float32Array(wanted.length * length);
      wanted.forEach((file, index) => {
        if (file !== undefined) result.set(byFile.get(file) as Float32Array, index * length);
      });
      return result;
    },
  };
}
