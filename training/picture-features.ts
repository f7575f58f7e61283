/** What the language model is given for pictures, computed once a picture: the vision side is frozen. */
import type { ModelDirectory } from '../model/files/model-directory.ts';
import { preprocessPicture, readPreprocessorConfig } from '../model/images/preprocess.ts';
import { pictureEmbeddings } from '../model/minigpt4.ts';
import type { Value } from '../model/ops/ops.ts';
import { Program } from '../model/ops/program.ts';
import { Tape, type Variable } from '../model/ops/tape.ts';
import type { Weights } from '../model/weights.ts';
import { frozenWeights, loadWeights } from './frozen-weights.ts';

const BATCH = 16;

/** Picture embeddings by file. */
export interface PictureFeatures {
  /** The embeddings of these pictures as one array, float32 `[files.length * queries, hidden]`; zeros for none. */
  batch(files: readonly (string | undefined)[]): Float32Array;
}

export interface FeatureOptions {
  /** Called after every batch with the number of pictures done. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/**
 * Runs the vision side over pictures.
 *
 * @param trace what to compute of `[batch, 3, size, size]` pixels: one row group a picture
 * @returns float32 arrays, one a file, in their order
 * @throws InputError for a picture that is missing or truncated
 */
export async function runVision(
  model: ModelDirectory,
  files: readonly string[],
  trace: (tape: Tape, weights: Weights, pixels: Value) => Variable,
  { onProgress, signal }: FeatureOptions = {},
): Promise<Float32Array[]> {
  const preprocessor = await readPreprocessorConfig(model.directory);
  const size = model.config.vision_config.image_size;
  const program = new Program();
  const weights = frozenWeights(program, model);
  program.define('vision', { pixels: { shape: [BATCH, 3, size, size], dataType: 'float32' } }, (ops, inputs) => ({
    rows: trace(new Tape(ops), weights, inputs.pixels).value,
  }));
  program.load();
  try {
    await loadWeights(program, model);
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

/** Computes the picture embeddings of all distinct files. */
export async function pictureFeatures(
  model: ModelDirectory,
  files: readonly string[],
  options: FeatureOptions = {},
): Promise<PictureFeatures> {
  const distinct = [...new Set(files)];
  const trace = (tape: Tape, weights: Weights, pixels: Value) => pictureEmbeddings(tape, weights, model.config, pixels);
  const rows = await runVision(model, distinct, trace, options);
  const byFile = new Map(distinct.map((file, index) => [file, rows[index] as Float32Array]));
  const length = model.config.num_query_tokens * model.config.text_config.hidden_size;
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
