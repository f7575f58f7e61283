import type { Config } from '../config/schema.ts';
import { fileExists } from '../core/files.ts';
import type { ImageId } from '../core/images/image-id.ts';
import { encodeAnew } from '../core/images/open-image.ts';
import { joinInside } from '../core/inside.ts';
import type { ImagePool } from '../datasets/coco.ts';
import { type DescriptionSource, descriptionSource, type PoolFiles } from '../datasets/descriptions/index.ts';
import { type ImageFolder, imageFolder } from '../datasets/image-folder.ts';
import type { QuestionSettings } from '../evaluation/benchmarks/index.ts';
import { type AttachedImage, type ImageSize, limitedSize } from '../teacher/image-tokens.ts';

export type Split = 'validation' | 'test';

/** The question file of a split and the folder of its images. */
export interface QuestionSet {
  file: string;
  images: ImageFolder;
  limit?: number;
  /** How questions of your own are read and scored; none for A-OKVQA's. */
  questions?: QuestionSettings;
}

/** Where a split's questions and images are, or undefined when the config has no such split. */
export function questionSet(config: Config, split: Split): QuestionSet | undefined {
  const { data } = config;
  const set = data[split];
  if (set === undefined) return undefined;
  const images = split === 'test' ? (data.images.test ?? data.images.validation) : data.images.validation;
  return {
    file: joinInside(data.root, set.file),
    images: imagesIn(config, images),
    limit: set.limit,
    questions: set.questions,
  };
}

/** The splits that the config has. */
export function configuredSplits(config: Config): Split[] {
  return config.data.test === undefined ? ['validation'] : ['validation', 'test'];
}

/** Where the pool's images come from, and what the teacher is told about them. */
export function poolSource({ data }: Config): DescriptionSource {
  return descriptionSource(data.descriptions.source);
}

/** Whether the teacher is sent the images that it writes about. */
export function showsImages(config: Config): boolean {
  return config.teacher.attachImage || poolSource(config).showsImages;
}

function poolFiles({ data, cacheDirectory }: Config): PoolFiles {
  const { annotations, descriptions, images, exif, root } = data;
  return {
    folder: joinInside(root, images.train),
    annotations: {
      instances: joinInside(root, annotations.instances),
      captions: joinInside(root, annotations.captions),
    },
    file: descriptions.file === undefined ? undefined : joinInside(root, descriptions.file),
    exif,
    cacheDirectory,
  };
}

/**
 * What the teacher knows of images by other sources than COCO's annotations, for the inputs of requests. Answers that were paid
 * for before there were other sources are used again.
 */
export async function ownDescriptions(config: Config): Promise<Record<string, unknown>> {
  return config.data.descriptions.source === 'coco' ? {} : { pool: await poolInputs(config) };
}

/** Everything that the pool depends on, by content. */
export function poolInputs(config: Config): Promise<Record<string, unknown>> {
  return poolSource(config).inputs(poolFiles(config));
}

/** The pool's images. */
export function poolFolder(config: Config): ImageFolder {
  return imagesIn(config, config.data.images.train);
}

/** The images in a folder under the data root. Those of the pool's folder have the names that its annotations give them. */
export function imagesIn(config: Config, folder: string): ImageFolder {
  const { root, images } = config.data;
  const path = joinInside(root, folder);
  return path === joinInside(root, images.train) ? imageFolder(path, () => annotatedNames(config)) : imageFolder(path);
}

/** A machine that only trains or scores may lack the annotations; names are then those in the folder. */
async function annotatedNames(config: Config): Promise<Map<ImageId, string>> {
  if (config.data.descriptions.source !== 'coco') return new Map();
  const { instances, captions } = poolFiles(config).annotations;
  if (!(await fileExists(instances)) || !(await fileExists(captions))) return new Map();
  return withPool(config, async (coco) => new Map((await coco.list()).map(({ id, fileName }) => [id, fileName])));
}

/**
 * Gives the work the pool: the images that new samples are written about, with what is known of them.
 *
 * @throws InputError naming the file and place of what is wrong in the annotations, or the image
 */
export function withPool<R>(config: Config, work: (pool: ImagePool) => Promise<R>): Promise<R> {
  return poolSource(config).withPool(poolFiles(config), work);
}

/** The same for every image below the pool's folder, whatever is known of it. */
export function withFolderPool<R>(config: Config, work: (pool: ImagePool) => Promise<R>): Promise<R> {
  return descriptionSource('image').withPool(poolFiles(config), work);
}

/** An image of the pool, to go with a request. @param image with the size that is known of it */
export function poolImage(config: Config, image: ImageSize & { fileName: string }): AttachedImage {
  return {
    size: limitedSize(image, config.teacher.images.longestSide),
    url: () => poolImageUrl(config, image.fileName),
  };
}

/**
 * An image of the pool as a data URL: the only way in which images are sent to a teacher, encoded anew, without metadata.
 *
 * @throws InputError when its file is missing
 */
export async function poolImageUrl(config: Config, fileName: string): Promise<string> {
  const { data, teacher } = config;
  const file = joinInside(poolFolder(config).path, fileName);
  const { kind, content } = await encodeAnew(file, { exif: data.exif, longestSide: teacher.images.longestSide });
  return `data:image/${kind};base64,${content.toString('base64')}`;
}
