import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../core/input-error.ts';

/** A folder of images that have ids. */
export interface ImageFolder {
  /** As it was given. */
  path: string;
  /**
   * The file of an image, whether it exists or not.
   *
   * @throws InputError when several files have the number of the id in their names
   */
  fileOf(imageId: number): Promise<string>;
}

/**
 * The one way from an image's id to its file: the name that annotations give it; else COCO's own name of twelve digits; else
 * the name in the folder that ends with the id, such as `COCO_train2014_000000000012.jpg`.
 *
 * @param annotatedNames id → file name, of the annotations that belong to the folder; asked once, when it is needed
 * @example
 * await imageFolder('/data/COCO2017/val2017').fileOf(461751); // /data/COCO2017/val2017/000000461751.jpg
 */
export function imageFolder(
  path: string,
  annotatedNames: () => Promise<ReadonlyMap<number, string>> = async () => new Map(),
): ImageFolder {
  let annotated: Promise<ReadonlyMap<number, string>> | undefined;
  let listed: Promise<Map<number, string[]>> | undefined;
  return {
    path,
    async fileOf(imageId) {
      annotated ??= annotatedNames();
      const name = (await annotated).get(imageId);
      if (name !== undefined) return join(path, name);
      listed ??= namesByNumber(path);
      return join(path, chooseName(path, imageId, (await listed).get(imageId) ?? []));
    },
  };
}

function chooseName(folder: string, imageId: number, names: readonly string[]): string {
  const official = `${String(imageId).padStart(12, '0')}.jpg`;
  const [first = official, second] = names;
  if (second === undefined) return first;
  if (names.includes(official)) return official;
  throw new InputError({
    file: folder,
    problem: `${first} and ${second} both may be the image ${imageId}`,
    remedy: 'Remove one of them, or name the right one in data.annotations',
  });
}

/** Names of image files by the number before their extension. A folder that is not there has none. */
async function namesByNumber(folder: string): Promise<Map<number, string[]>> {
  const names = new Map<number, string[]>();
  const found = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  for (const name of found.sort()) {
    const number = /(\d+)\.(?:jpe?g|png|gif|webp|tiff?)$/i.exec(name)?.[1];
    if (number === undefined) continue;
    const known = names.get(Number(number));
    if (known === undefined) names.set(Number(number), [name]);
    else known.push(name);
  }
  return names;
}
