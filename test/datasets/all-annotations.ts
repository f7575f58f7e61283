import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AnnotatedImage, CocoFiles, ImagePool } from '../../src/datasets/coco.ts';
import { withCoco } from '../../src/datasets/coco-index.ts';

/** All that an index has, by ascending id. */
export async function readAll({ list, read }: ImagePool): Promise<AnnotatedImage[]> {
  const ids = (await list()).map(({ id }) => id);
  const images = await read(ids);
  return ids.map((id) => images.get(id) as AnnotatedImage);
}

/** All that the annotation files say, through an index that is removed again. */
export async function allAnnotations(files: CocoFiles): Promise<AnnotatedImage[]> {
  const cache = await mkdtemp(join(tmpdir(), 'coco-index-'));
  try {
    return await withCoco(files, cache, readAll);
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
}
