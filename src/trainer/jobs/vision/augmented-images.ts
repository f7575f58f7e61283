/** What the language model is given for images that look different each time they are shown: nothing of them is kept. */
import type { OpenSettings } from '../../../core/images/open-image.ts';
import { familyOf, imageEmbeddings } from '../../../model/families/index.ts';
import type { ModelDirectory } from '../../../model/files/model-directory.ts';
import { preprocessImage } from '../../../model/images/preprocess.ts';
import { readPreprocessorConfig } from '../../../model/images/processor-config.ts';
import { randomCrop } from '../../../model/images/random-crop.ts';
import { Program } from '../../../model/ops/program.ts';
import { Tape } from '../../../model/ops/tape.ts';
import { frozenWeights, loadWeights } from '../frozen-weights.ts';
import { IMAGE_BATCH, requireSize } from './image-features.ts';

/** Images that are shown together: their files, none for a sample of words alone, and the seed of each. */
export interface ShownImages {
  files: readonly (string | undefined)[];
  seeds: readonly string[];
}

export interface AugmentedImages {
  /**
   * Embeddings of random parts of images, float32 `[files * queries, hidden]`; zeros for none.
   *
   * @param upcoming are read while these are computed
   * @throws InputError for an image that is missing or truncated
   */
  embed(shown: ShownImages, upcoming?: ShownImages): Promise<Float32Array>;
  /** Frees the weights of the vision side. */
  dispose(): void;
}

/**
 * Loads the vision side, which stays loaded.
 *
 * @param count the most images that are shown together
 * @throws InputError for a preprocessor of another size than the model
 */
export async function augmentedImages(
  model: ModelDirectory,
  { count, ...open }: OpenSettings & { count: number },
): Promise<AugmentedImages> {
  const family = familyOf(model.config);
  const size = family.imageSize;
  const preprocessor = await readPreprocessorConfig(model.directory);
  requireSize(preprocessor, size, model.directory);
  const batch = Math.min(count, IMAGE_BATCH);
  const program = new Program();
  program.define('images', { pixels: { shape: [batch, 3, size, size], dataType: 'float32' } }, (ops, { pixels }) => ({
    rows: imageEmbeddings(family, new Tape(ops), frozenWeights(program, model, { use: 'forward' }), pixels).value,
  }));
  const length = family.imageTokens * model.config.text_config.hidden_size;
  const read = ({ files, seeds }: ShownImages) =>
    Promise.all(
      files.map((file, index) =>
        file === undefined
          ? undefined
          : preprocessImage(file, preprocessor, {
              ...open,
              crop: (image) => randomCrop(image, seeds[index] as string),
            }),
      ),
    );
  let ahead: { seeds: string; pixels: ReturnType<typeof read> } | undefined;
  const keyOf = ({ seeds }: ShownImages) => seeds.join(' ');
  try {
    program.load();
    await loadWeights(program, model);
  } catch (error) {
    program.dispose();
    throw error;
  }
  return {
    async embed(shown, upcoming) {
      const images = await (ahead?.seeds === keyOf(shown) ? ahead.pixels : read(shown));
      ahead = upcoming && { seeds: keyOf(upcoming), pixels: read(upcoming) };
      // Awaited on the next turn; a bad image must not be reported as unhandled before that.
      ahead?.pixels.catch(() => {});
      const result = new Float32Array(images.length * length);
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
