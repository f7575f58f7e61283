import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { fileExists } from '../core/files.ts';
import type { ImageId } from '../core/images/image-id.ts';
import { portableImage } from '../core/images/open-image.ts';
import type { CocoIndex } from '../datasets/coco.ts';
import { withCoco } from '../datasets/coco-index.ts';
import { type ImageFolder, imageFolder } from '../datasets/image-folder.ts';

export type Split = 'validation' | 'test';

/** The question file of a split and the folder of its images. */
export interface QuestionSet {
  file: string;
  images: ImageFolder;
  limit?: number;
}

/** Where a split's questions and images are, or undefined when the config has no such split. */
export function questionSet(config: Config, split: Split): QuestionSet | undefined {
  const { data } = config;
  const set = data[split];
  if (set === undefined) return undefined;
  const images = split === 'test' ? (data.images.test ?? data.images.validation) : data.images.validation;
  return { file: join(data.root, set.file), images: imagesIn(config, images), limit: set.limit };
}

/** The splits that the config has. */
export function configuredSplits(config: Config): Split[] {
  return config.data.test === undefined ? ['validation'] : ['validation', 'test'];
}

/** The COCO annotations of the pool, the images that new samples are about. */
export function poolAnnotations({ data }: Config): { instances: string; captions: string } {
  return {
    instances: join(data.root, data.annotations.instances),
    captions: join(data.root, data.annotations.captions),
  };
}

/** The pool's images. */
export function poolFolder(config: Config): ImageFolder {
  return imagesIn(config, config.data.images.train);
}

/** The images in a folder under the data root. Those of the pool's folder have the names that its annotations give them. */
export function imagesIn(config: Config, folder: string): ImageFolder {
  const { root, images } = config.data;
  const path = join(root, folder);
  return path === join(root, images.train) ? imageFolder(path, () => annotatedNames(config)) : imageFolder(path);
}

/** A machine that only trains or scores may lack the annotations; names are then those in the folder. */
async function annotatedNames(config: Config): Promise<Map<ImageId, string>> {
  const { instances, captions } = poolAnnotations(config);
  if (!(await fileExists(instances)) || !(await fileExists(captions))) return new Map();
  return withPool(config, async (coco) => new Map((await coco.list()).map(({ id, fileName }) => [id, fileName])));
}

/**
 * Gives the work the annotations of the pool: of the images that new samples are written about.
 *
 * @throws InputError naming the file and place of an error in the annotations
 */
export function withPool<R>(config: Config, work: (coco: CocoIndex) => Promise<R>): Promise<R> {
  return withCoco(poolAnnotations(config), join(config.cacheDirectory, 'coco'), work);
}

/** An image of the pool as a data URL. @throws InputError when its file is missing */
export async function poolImageUrl(config: Config, fileName: string): Promise<string> {
  const file = join(poolFolder(config).path, fileName);
  const { kind, content } = await portableImage(file, { exif: config.data.exif });
  return `data:image/${kind};base64,${content.toString('base64')}`;
}
