/** Where a finetune takes its images from: computed once, or in each step. */
import { imageEntryOf } from '../../../config/lora-schema.ts';
import type { ModelDirectory } from '../../../model/files/model-directory.ts';
import type { FinetuneJob, SettingsOf } from '../../protocol.ts';
import type { JobReporter } from '../../trainer-side.ts';
import { type FreshImages, freshImages } from '../vision/fresh-images.ts';
import { type ImageSource, imageFeatures, unprojectedFeatures } from '../vision/image-features.ts';

export interface ImageSources {
  /** Of pairs, of what is looked at in between, and of samples where `fresh` is not there. */
  features: ImageSource;
  /** Of samples whose images are computed in each step. */
  fresh: FreshImages | undefined;
  dispose(): void;
}

/**
 * Computes what is computed once, and loads what computes the rest.
 *
 * @param files of samples, and of all others, which are never augmented
 * @throws InputError for an image that is missing or truncated
 */
export async function imageSources(
  model: ModelDirectory,
  settings: SettingsOf<FinetuneJob>,
  files: { samples: readonly string[]; others: readonly string[] },
  reporter: JobReporter,
): Promise<ImageSources> {
  const { exif, microBatchSize: count } = settings;
  const entry = imageEntryOf(settings);
  if (entry === 'pixels') {
    reporter.note('the vision side is trained: it is computed in each step, and no image feature is kept');
    const fresh = await freshImages(model, { count, exif, entry });
    const features: ImageSource = { batch: (shown) => fresh.enter({ files: shown }), dispose: () => undefined };
    return { features, fresh, dispose: fresh.dispose };
  }
  const augments = settings.augmentation === 'random-resized-crop';
  const once = entry === 'features' ? unprojectedFeatures : imageFeatures;
  const features = await once(model, [...(augments ? [] : files.samples), ...files.others], {
    exif,
    signal: reporter.signal,
    onProgress: (done, total) => reporter.progress({ phase: 'images', step: done, steps: total }),
  });
  try {
    const fresh = augments ? await freshImages(model, { count, exif, entry }) : undefined;
    const dispose = () => {
      fresh?.dispose();
      features.dispose();
    };
    return { features, fresh, dispose };
  } catch (error) {
    features.dispose();
    throw error;
  }
}
