import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { inputErrorOfFile } from '../core/read-json.ts';
import type { CocoIndex } from '../datasets/coco.ts';
import { withCoco } from '../datasets/coco-index.ts';
import { poolAnnotations, poolImages } from './dataset-paths.ts';

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
  const file = join(poolImages(config), fileName);
  const type = extname(file) === '.png' ? 'image/png' : 'image/jpeg';
  const content = await readFile(file).catch((error: unknown) => Promise.reject(inputErrorOfFile(file, error)));
  return `data:${type};base64,${content.toString('base64')}`;
}
