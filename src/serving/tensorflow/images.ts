/** What the language model is given for images that come as bytes; of the newest ones it is kept. */
import { hashBytes } from '../../core/hash.ts';
import type { ExifMode } from '../../core/images/image-kind.ts';
import { familyOf, imageEmbeddings } from '../../model/families/index.ts';
import type { Adapter } from '../../model/files/adapter.ts';
import type { ModelDirectory } from '../../model/files/model-directory.ts';
import { preprocessImage } from '../../model/images/preprocess.ts';
import { readPreprocessorConfig } from '../../model/images/processor-config.ts';
import { Program } from '../../model/ops/program.ts';
import { Tape } from '../../model/ops/tape.ts';
import { loadWeights } from '../../trainer/jobs/frozen-weights.ts';
import { adaptsVision, adaptVision } from '../../trainer/jobs/vision/adapted-vision.ts';
import { requireSize } from '../../trainer/jobs/vision/image-features.ts';

/** A conversation shows its images again with every turn. */
const KEPT_BYTES = 256 * 2 ** 20;

export interface ServedImages {
  /**
   * @param adapter number of the adapter, 0 for none
   * @returns float32 `[imageTokens, hidden]`
   * @throws InputError for bytes that are no image
   */
  embed(image: Uint8Array, adapter: number): Promise<Float32Array>;
  dispose(): void;
}

/** Loads the vision side, once more for each adapter that changes it. */
export async function serveImages(
  model: ModelDirectory,
  adapters: readonly Adapter[],
  exif: ExifMode | undefined,
): Promise<ServedImages> {
  const family = familyOf(model.config);
  const size = family.imageSize;
  const preprocessor = await readPreprocessorConfig(model.directory);
  requireSize(preprocessor, size, model.directory);
  const programs: Program[] = [];
  const load = async (adapter?: Adapter) => {
    const program = new Program();
    programs.push(program);
    const adapted = adaptVision(program, model, adapter);
    program.define('image', { pixels: { shape: [1, 3, size, size], dataType: 'float32' } }, (ops, { pixels }) => ({
      rows: imageEmbeddings(family, new Tape(ops), adapted.weights(ops), pixels).value,
    }));
    program.load();
    await loadWeights(program, model);
    program.assignAll(adapted.factors);
    return program;
  };
  const dispose = () => {
    for (const program of programs) program.dispose();
  };
  try {
    const base = await load();
    const seen = [base];
    for (const adapter of adapters) seen.push(adaptsVision(adapter) ? await load(adapter) : base);
    const kept = new Map<string, Float32Array>();
    let bytes = 0;
    return {
      async embed(image, adapter) {
        const program = seen[adapter] as Program;
        const key = `${programs.indexOf(program)} ${hashBytes(image)}`;
        const known = kept.get(key);
        if (known !== undefined) {
          kept.delete(key);
          kept.set(key, known);
          return known;
        }
        const pixels = await preprocessImage(Buffer.from(image), preprocessor, { exif });
        // The other choices of a request show the same image.
        const meanwhile = kept.get(key);
        if (meanwhile !== undefined) return meanwhile;
        const rows = program.run('image', { pixels }).rows as Float32Array;
        kept.set(key, rows);
        bytes += rows.byteLength;
        for (const [oldest, values] of kept) {
          if (bytes <= KEPT_BYTES || oldest === key) break;
          kept.delete(oldest);
          bytes -= values.byteLength;
        }
        return rows;
      },
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}
