import { readdir } from 'node:fs/promises';
import { fileExists } from '../core/files.ts';
import { compareImageIds, type ImageId, imageFileName, otherImageFileName } from '../core/images/image-id.ts';
import { InputError } from '../core/input-error.ts';
import { joinInside } from '../core/inside.ts';
import { filesBelow } from './files-below.ts';

/** A folder of images that have ids. */
export interface ImageFolder {
  /** As it was given. */
  path: string;
  /**
   * The file of an image, whether it exists or not.
   *
   * @throws InputError when several files have the number of the id in their names, or the path that the id is
   */
  fileOf(imageId: ImageId): Promise<string>;
}

/**
 * The one way from an image's id to its file: the name that annotations give it; else COCO's own name of twelve digits; else
 * the name in the folder that ends with the id, such as `COCO_train2014_000000000012.jpg`. An id that is a text is the path
 * of the file below the folder, with or without its extension, whichever way Unicode writes its letters.
 *
 * @param annotatedNames id → file name, of the annotations that belong to the folder; asked once, when it is needed
 * @example
 * await imageFolder('/data/COCO2017/val2017').fileOf(461751); // /data/COCO2017/val2017/000000461751.jpg
 */
export function imageFolder(
  path: string,
  annotatedNames: () => Promise<ReadonlyMap<ImageId, string>> = async () => new Map(),
): ImageFolder {
  let annotated: Promise<ReadonlyMap<ImageId, string>> | undefined;
  let listed: Promise<Map<number, string[]>> | undefined;
  let paths: Promise<Map<string, string[]>> | undefined;
  return {
    path,
    async fileOf(imageId) {
      annotated ??= annotatedNames();
      const name = (await annotated).get(imageId);
      if (name !== undefined) return joinInside(path, name);
      if (typeof imageId === 'string') {
        const file = joinInside(path, imageId);
        if (imageFileName.test(imageId) && (await fileExists(file))) return file;
        paths ??= pathsByText(path);
        return joinInside(path, choosePath(path, imageId, (await paths).get(imageId.normalize()) ?? []));
      }
      listed ??= namesByNumber(path);
      return joinInside(path, chooseName(path, imageId, (await listed).get(imageId) ?? []));
    },
  };
}

function chooseName(folder: string, imageId: ImageId, names: readonly string[]): string {
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

function choosePath(folder: string, imageId: string, paths: readonly string[]): string {
  const [first = imageId, second] = paths;
  if (second === undefined) return first;
  throw new InputError({
    file: folder,
    problem: `${first} and ${second} both may be the image ${imageId}`,
    remedy: 'Remove one of them, or give the image by its path with the extension',
  });
}

/**
 * The paths of all image files below a folder, those of folders below it too, by code units. Hidden files are none, such as
 * `.DS_Store` and the `._name.jpg` of macOS. Links to folders are followed. A folder that is not there has none.
 */
export function imagePathsIn(folder: string): Promise<string[]> {
  return pathsIn(folder, imageFileName);
}

/** The same of images of kinds that are not read, such as BMP and HEIC. */
export function otherImagesIn(folder: string): Promise<string[]> {
  return pathsIn(folder, otherImageFileName);
}

async function pathsIn(folder: string, names: RegExp): Promise<string[]> {
  if (!(await fileExists(folder))) return [];
  const paths = await filesBelow(folder, { isWanted: (name) => names.test(name) });
  return paths.sort(compareImageIds);
}

/** Paths below a folder by what an id may call them: the path, and the path without the extension, in Unicode's form C. */
async function pathsByText(folder: string): Promise<Map<string, string[]>> {
  const paths = new Map<string, string[]>();
  for (const path of await imagePathsIn(folder)) {
    for (const text of [path, path.replace(imageFileName, '')]) {
      const key = text.normalize();
      paths.set(key, [...(paths.get(key) ?? []), path]);
    }
  }
  return paths;
}

function noneIfAbsent(error: NodeJS.ErrnoException): [] {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
  throw error;
}

/** Names of image files by the number before their extension. A folder that is not there has none. */
async function namesByNumber(folder: string): Promise<Map<number, string[]>> {
  const names = new Map<number, string[]>();
  const found = await readdir(folder).catch(noneIfAbsent);
  for (const name of found.sort()) {
    const number = /(\d+)\.(?:jpe?g|png|gif|webp|tiff?)$/i.exec(name)?.[1];
    if (number === undefined) continue;
    const known = names.get(Number(number));
    if (known === undefined) names.set(Number(number), [name]);
    else known.push(name);
  }
  return names;
}
