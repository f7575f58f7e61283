import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import limitConcurrency from 'p-limit';
import { z } from 'zod';
import { hashFile, hashValue } from '../../core/hash.ts';
import { compareImageIds, type ImageId } from '../../core/images/image-id.ts';
import type { ExifMode } from '../../core/images/image-kind.ts';
import { imageSize } from '../../core/images/open-image.ts';
import { imageError } from '../../core/images/read-image-file.ts';
import { InputError } from '../../core/input-error.ts';
import { joinInside, sha256Text } from '../../core/inside.ts';
import { readJson } from '../../core/read-json.ts';
import { writeJson } from '../../core/write-file.ts';
import type { CocoBox, ImagePool, PoolImage } from '../coco.ts';
import { imagePathsIn, otherImagesIn } from '../image-folder.ts';

/** An image file of a pool that is a folder. */
export interface FolderImage {
  /** Its path below the folder in Unicode's form C, so that it is the same on every file system. */
  id: string;
  /** Its path below the folder as the file system has it. */
  path: string;
  sha256: string;
}

export interface FolderImages {
  /** By their ids, each content once. */
  images: FolderImage[];
  /** Path of each file, copies too → SHA-256. */
  sha256Of: ReadonlyMap<string, string>;
}

/** What is known of an image. */
export interface ImageFacts {
  captions: string[];
  boxes: CocoBox[];
}

/**
 * The images of a folder and of all folders below it, by their ids. Of files with the same content the first is taken.
 * Which content a file has is kept in the cache, and read again when the file has changed.
 *
 * @throws InputError when there are none, for a file that holds no image of a kind that can be read, and for two files whose
 *   paths differ only in how Unicode writes a letter
 */
export async function folderImages(folder: string, cacheFolder: string): Promise<FolderImages> {
  const found = await hashImages(folder, cacheFolder);
  const ids = new Map<string, string>();
  const contents = new Set<string>();
  const images: FolderImage[] = [];
  for (const { path, sha256 } of found) {
    const id = path.normalize();
    if (ids.has(id)) throw imageError(joinInside(folder, path), `has the same name as another one, ${ids.get(id)}`);
    ids.set(id, path);
    if (contents.has(sha256)) continue;
    contents.add(sha256);
    images.push({ id, path, sha256 });
  }
  images.sort((left, right) => compareImageIds(left.id, right.id));
  return { images, sha256Of: new Map(found.map(({ path, sha256 }) => [joinInside(folder, path), sha256])) };
}

/**
 * A pool that is a folder.
 *
 * @param factsOf what is known of an image; default: nothing
 * @param isDescribed whether that is enough for a sample; default: it is
 */
export function folderPool(input: {
  folder: string;
  images: readonly FolderImage[];
  sha256Of: FolderImages['sha256Of'];
  exif?: ExifMode | undefined;
  factsOf?: (image: FolderImage) => ImageFacts | undefined;
  isDescribed?: (facts: ImageFacts) => boolean;
}): ImagePool {
  const { folder, images, sha256Of, exif, factsOf = () => undefined, isDescribed = () => true } = input;
  const byId = new Map<ImageId, FolderImage>(images.map((image) => [image.id, image]));
  const known = (image: FolderImage) => factsOf(image) ?? { captions: [], boxes: [] };
  const inPool = (image: FolderImage, facts: ImageFacts): PoolImage => ({
    id: image.id,
    fileName: image.path,
    boxCount: facts.boxes.length,
    captionCount: facts.captions.length,
    isDescribed: isDescribed(facts),
    sha256: image.sha256,
  });
  const copies = sha256Of.size - images.length;
  return {
    leftOut: copies > 0 ? { 'it has the content of another image': copies } : {},
    list: async () => images.map((image) => inPool(image, known(image))),
    async read(imageIds) {
      const limit = limitConcurrency(8);
      const described = await Promise.all(
        [...new Set(imageIds)].map((id) =>
          limit(async () => {
            const image = byId.get(id);
            if (image === undefined) throw new Error(`Image ${id} is not in ${folder}`);
            const facts = known(image);
            const size = await imageSize(joinInside(folder, image.path), { exif });
            return [id, { ...inPool(image, facts), ...size, ...facts }] as const;
          }),
        ),
      );
      return new Map(described);
    },
  };
}

/** A file of the cache: what the images of a folder were when they were read. Files that have changed are read again. */
const cacheSchema = z.object({
  version: z.literal(1),
  files: z.record(z.string(), z.object({ unchanged: z.string(), sha256: sha256Text })),
});
type Cached = z.output<typeof cacheSchema>;

async function hashImages(folder: string, cacheFolder: string): Promise<{ path: string; sha256: string }[]> {
  const paths = await imagePathsIn(folder);
  await refuseOtherImages(folder, paths.length);
  const file = join(cacheFolder, `${hashValue(resolve(folder)).slice(0, 32)}.json`);
  const cached: Cached = await readJson(file, cacheSchema).catch(() => ({ version: 1, files: {} }));
  const earlier = new Map(Object.entries(cached.files));
  const limit = limitConcurrency(16);
  let read = 0;
  const found = await Promise.all(
    paths.map((path) =>
      limit(async () => {
        const unchanged = await stateOf(joinInside(folder, path));
        const known = earlier.get(path);
        if (known?.unchanged === unchanged) return { path, ...known };
        read += 1;
        return { path, unchanged, sha256: await hashFile(joinInside(folder, path)) };
      }),
    ),
  );
  if (read > 0) {
    const files = Object.fromEntries(found.map(({ path, ...entry }) => [path, entry]));
    await writeJson(file, { version: 1, files } satisfies Cached);
  }
  return found;
}

async function stateOf(file: string): Promise<string> {
  const facts = await stat(file, { bigint: true }).catch((cause: Error) => {
    throw imageError(file, `can't be read (${cause.message})`, cause);
  });
  // A pipe or a device would never end.
  if (!facts.isFile()) throw imageError(file, 'is not a file that holds an image');
  return [facts.dev, facts.ino, facts.size, facts.mtimeNs, facts.ctimeNs].join(' ');
}

/** Images that would be passed over in silence are refused, so that nobody misses them later. */
async function refuseOtherImages(folder: string, count: number): Promise<void> {
  const [first, ...others] = await otherImagesIn(folder);
  if (first !== undefined) {
    const more = others.length > 0 ? `, and so are ${others.length} more` : '';
    throw new InputError({
      file: joinInside(folder, first),
      problem: `is an image of a kind that is not read${more}`,
      remedy: 'Convert it to JPEG or PNG, or take it out of the folder',
    });
  }
  if (count > 0) return;
  throw new InputError({
    file: folder,
    problem: 'has no images (JPEG, PNG, GIF, WebP, TIFF)',
    remedy: 'Put the images there, or correct data.images.train',
  });
}
