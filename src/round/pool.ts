import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import type { CocoIndex } from '../datasets/coco.ts';
import { withCoco } from '../datasets/coco-index.ts';
import { poolAnnotations } from './dataset-paths.ts';

/**
 * Gives the work the annotations of the pool, the images that new samples are written about.
 *
 * @throws InputError naming file and place of what is wrong in the annotations
 */
export function withPool<R>(config: Config, work: (coco: CocoIndex) => Promise<R>): Promise<R> {
  return withCoco(poolAnnotations(config), join(config.cacheDirectory, 'coco'), work);
}
