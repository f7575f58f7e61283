import { keepImage } from '../core/images/keep-image.ts';
import type { ImageOfQuestion } from './own-questions.ts';
import type { TrainSource } from './train-dataset.ts';

/**
 * The file of a record's image: in the folder of the dataset's images, or written from its bytes into the folder for such.
 *
 * @throws InputError for a path that leads out of the folder; StorageError when the image can't be written
 */
export async function locateImage(
  image: ImageOfQuestion,
  { path, images, extractedImages }: Pick<TrainSource, 'path' | 'images' | 'extractedImages'>,
): Promise<string> {
  if ('path' in image) return images.fileOf(image.path);
  if (extractedImages === undefined) throw new Error(`There is no folder for the images of ${path}`);
  return keepImage(image.content, extractedImages);
}
