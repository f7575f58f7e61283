import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AnnotatedPicture, CocoFiles, CocoIndex } from '../../src/datasets/coco.ts';
import { withCoco } from '../../src/datasets/coco-index.ts';

/** All that an index has, by ascending id. */
export async function readAll({ list, read }: CocoIndex): Promise<AnnotatedPicture[]> {
  const ids = (await list()).map(({ id }) => id);
  const pictures = await read(ids);
  return ids.map((id) => pictures.get(id) as AnnotatedPicture);
}

/** All that the annotation files say, through an index that is removed again. */
export async function allAnnotations(files: CocoFiles): Promise<AnnotatedPicture[]> {
  const cache = await mkdtemp(join(tmpdir(), 'coco-index-'));
  try {
    return await withCoco(files, cache, readAll);
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
}
