import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AnnotatedPicture, CocoFiles } from '../../datasets/coco.ts';
import { withCoco } from '../../datasets/coco-index.ts';

/** All that the annotation files say, through an index that is removed again. */
export async function allAnnotations(files: CocoFiles): Promise<AnnotatedPicture[]> {
  const cache = await mkdtemp(join(tmpdir(), 'coco-index-'));
  try {
    return await withCoco(files, cache, ({ pictures, read }) => Promise.all(pictures.map(({ id }) => read(id))));
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
}
