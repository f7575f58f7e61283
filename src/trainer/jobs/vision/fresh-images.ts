/**
 * What a finetune is given for images that are computed each time they are shown, as they look different then or what sees them
 * changes: nothing of them is kept.
 */
import type { ImageEntry } from '../../../config/lora-schema.ts';
import type { OpenSettings } from '../../../core/images/open-image.ts';
import { familyOf, imageEmbeddings } from '../../../model/families/index.ts';
import type { ModelDirectory } from '../../../model/files/model-directory.ts';
import { preprocessImage } from '../../../model/images/preprocess.ts';
import { readPreprocessorConfig } from '../../../model/images/processor-config.ts';
import { randomCrop } from '../../../model/images/random-crop.ts';
import { Program } from '../../../model/ops/program.ts';
import { Tape } from '../../../model/ops/tape.ts';
import { sizeOf } from '../../../model/ops/value.ts';
import { frozenWeights, loadWeights } from '../frozen-weights.ts';
import { IMAGE_BATCH, requireSize } from './image-features.ts';

/** Images that are shown together: their files, none for a sample of words alone, and the seed of each that is cropped. */
export interface ShownImages {
  files: readonly (string | undefined)[];
  seeds?: readonly string[];
}

export interface FreshImages {
  /**
   * What is entered for images, or for random parts of them, float32; zeros for none.
   *
   * @param upcoming are read while these are computed
   * @throws InputError for an image that is missing or truncated
   */
  enter(shown: ShownImages, upcoming?: ShownImages): Promise<Float32Array>;
  /** Frees the weights of the vision side. */
  dispose(): void;
}

/**
 * Loads what of the vision side is frozen, which stays loaded.
 *
 * @param count the most images that are shown together
 * @param entry what is entered: embeddings `[files * queries, hidden]`, features `[files * queries, width]`, or pixels `[files, 3, size, size]`
 * @throws InputError for a preprocessor of another size than the model
 */
export async function freshImages(
  model: ModelDirectory,
  { count, entry, ...open }: OpenSettings & { count: number; entry: ImageEntry },
): Promise<FreshImages> {
  const family = familyOf(model.config);
  const size = family.imageSize;
  const preprocessor = await readPreprocessorConfig(model.directory);
  requireSize(preprocessor, size, model.directory);
  const batch = Math.min(count, IMAGE_BATCH);
  const program = new Program();
  let length = 3 * size * size;
  if (entry !== 'pixels') {
    program.define('images', { pixels: { shape: [batch, 3, size, size], dataType: 'float32' } }, (ops, { pixels }) => {
      const weights = frozenWeights(program, model, { use: 'forward' });
      const compute = entry === 'features' ? family.visionFeatures : imageEmbeddings.bind(undefined, family);
      const rows = compute(new Tape(ops), weights, pixels).value;
      length = sizeOf(rows.shape) / batch;
      return { rows };
    });
  }
  const read = ({ files, seeds }: ShownImages) =>
    Promise.all(
      files.map((file, index) => {
        if (file === undefined) return undefined;
        const seed = seeds?.[index];
        return preprocessImage(file, preprocessor, {
          ...open,
          ...(seed !== undefined && { crop: (image) => randomCrop(image, seed) }),
        });
      }),
    );
  let ahead: { key: string; pixels: ReturnType<typeof read> } | undefined;
  const keyOf = ({ files, seeds = [] }: ShownImages) => JSON.stringify([files, seeds]);
  try {
    if (entry !== 'pixels') {
      program.load();
      await loadWeights(program, model);
    }
  } catch (error) {
    program.dispose();
    throw error;
  }
  return {
    async enter(shown, upcoming) {
      const images = await (ahead?.key === keyOf(shown) ? ahead.pixels : read(shown));
      ahead = upcoming && { key: keyOf(upcoming), pixels: read(upcoming) };
      // Awaited on the next turn; a bad image must not be reported as unhandled before that.
      ahead?.pixels.catch(() => {});
      const result = new Float32Array(images.length * length);
      if (entry === 'pixels') {
        for (const [index, image] of images.entries()) if (image) result.set(image, index * length);
        return result;
      }
      for (let start = 0; start < images.length; start += batch) {
        const some = images.slice(start, start + batch);
        if (some.every((image) => image === undefined)) continue;
        const pixels = new Float32Array(batch * 3 * size * size);
        for (const [index, image] of some.entries()) if (image) pixels.set(image, index * image.length);
        const rows = program.run('images', { pixels }).rows as Float32Array;
        for (const [index, image] of some.entries()) {
          if (image) result.set(rows.subarray(index * length, (index + 1) * length), (start + index) * length);
        }
      }
      return result;
    },
    dispose: () => program.dispose(),
  };
}
