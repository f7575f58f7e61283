import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { hashBytes, hashValue } from '../../src/core/hash.ts';
import type { SeededRandom } from '../../src/core/seeded-random.ts';
import { StorageError } from '../../src/core/write-file.ts';
import { captionsFor } from './captions.ts';
import { renderScene } from './render.ts';
import { randomScene, type Scene } from './scene.ts';

/** A scene with its place in a split. */
export interface SceneImage {
  id: number;
  /** Without folder. */
  fileName: string;
  scene: Scene;
  captions: string[];
  /** The image's own stream: what is drawn for one image doesn't depend on the others. */
  random: SeededRandom;
}

/** As COCO names its files: twelve digits. */
function cocoFileName(id: number): string {
  return `${String(id).padStart(12, '0')}.jpg`;
}

/** Draws a split's scenes. A scene that equals an earlier one is drawn again. */
export function drawImages(
  random: SeededRandom,
  count: number,
  firstId: number,
  fileName: (id: number) => string = cocoFileName,
): SceneImage[] {
  const seen = new Set<string>();
  return Array.from({ length: count }, (_, index) => {
    for (let attempt = 0; ; attempt += 1) {
      const own = random.fork(index).fork(attempt);
      const scene = randomScene(own);
      const key = hashValue(scene);
      if (seen.has(key)) continue;
      seen.add(key);
      const id = firstId + index;
      return { id, fileName: fileName(id), scene, captions: captionsFor(scene, own.fork('captions')), random: own };
    }
  });
}

/** As many as keep two cores busy; libvips has its own threads. */
const CONCURRENCY = 8;

/**
 * Renders images into a folder.
 *
 * @param options.seen content hashes of the images so far; those of these images are added
 * @throws StorageError for a full disk and the like.
 * @throws Error when an image has the same content as an earlier one.
 */
export async function writeImages(
  folder: string,
  images: readonly SceneImage[],
  options: { seen: Set<string>; signal?: AbortSignal; onImage?: () => void },
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const limit = pLimit(CONCURRENCY);
  const work = images.map(({ fileName, scene }) =>
    limit(async () => {
      options.signal?.throwIfAborted();
      const bytes = await renderScene(scene);
      const hash = hashBytes(bytes);
      if (options.seen.has(hash))
        throw new Error(`${join(folder, fileName)} is the same image as an earlier one; choose another seed`);
      options.seen.add(hash);
      // No flush a file: the manifest, written last, says whether all of them are there.
      const file = join(folder, fileName);
      await writeFile(file, bytes).catch((cause: unknown) => {
        throw new StorageError(file, cause);
      });
      options.onImage?.();
    }),
  );
  // All must have ended before an error is thrown: others would write into a folder that is cleaned up.
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
