/**
 * What the vision side computed of images, on disk: an image that was computed in another run, round or file is not
 * computed again.
 *
 * A file an image, `<folder>/<what computed it>/<content of the image>.f32`: float32 values, then their SHA-256.
 * Files appear whole (temporary file, rename), so any number of processes may share a folder. They are not flushed:
 * one that a power failure cut short fails its checksum and is computed again.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pLimit from 'p-limit';
import { InputError } from '../../../core/input-error.ts';
import { joinInside } from '../../../core/inside.ts';

const DEFAULT_FOLDER = '.cache/image-features';
const DEFAULT_GIGABYTES = 20;
const CHECKSUM_BYTES = 32;
const MAX_CONCURRENT_FILES = 16;

export interface ImageCacheSettings {
  folder: string;
  /** What the folder may hold after a job; the least recently used files go first. */
  maximumBytes: number;
}

/**
 * Settings from the environment: `DATAENGINE_IMAGE_CACHE`, a folder or `off`, and
 * `DATAENGINE_IMAGE_CACHE_GB`.
 *
 * @returns undefined when the cache is off
 * @throws InputError for a size that is no number
 */
export function imageCacheSettings(environment: NodeJS.ProcessEnv = process.env): ImageCacheSettings | undefined {
  const folder = environment.DATAENGINE_IMAGE_CACHE || DEFAULT_FOLDER;
  if (folder === 'off') return undefined;
  const size = environment.DATAENGINE_IMAGE_CACHE_GB;
  const gigabytes = size ? Number(size) : DEFAULT_GIGABYTES;
  if (!(gigabytes >= 0)) {
    throw new InputError({
      file: 'environment',
      field: 'DATAENGINE_IMAGE_CACHE_GB',
      problem: `'${size}' is not a number of gigabytes`,
      remedy: `Give a number such as ${DEFAULT_GIGABYTES}, or unset it`,
    });
  }
  return { folder, maximumBytes: gigabytes * 1e9 };
}

export interface ImageCache {
  /** What was kept under this hash, `length` values; undefined where there is nothing whole. */
  read(imageHash: string, length: number): Promise<Float32Array | undefined>;
  write(imageHash: string, values: Float32Array): Promise<void>;
  /** Deletes the least recently used files, of whatever computation, until the folder is within its limit. */
  trim(): Promise<void>;
}

/** @param computation hash of all that the values depend on beside the image */
export function openImageCache({ folder, maximumBytes }: ImageCacheSettings, computation: string): ImageCache {
  const own = joinInside(folder, computation);
  const fileOf = (imageHash: string) => joinInside(own, `${imageHash}.f32`);
  return {
    async read(imageHash, length) {
      const file = fileOf(imageHash);
      const bytes = await readFile(file).catch(() => undefined);
      if (bytes?.length !== length * 4 + CHECKSUM_BYTES) return undefined;
      const values = bytes.subarray(0, length * 4);
      if (!checksum(values).equals(bytes.subarray(length * 4))) return undefined;
      const now = new Date();
      // Another process may have deleted it meanwhile; what was read is whole all the same.
      await utimes(file, now, now).catch(() => undefined);
      // Copied: a buffer's place in memory need not suit floats.
      return new Float32Array(new Uint8Array(values).buffer);
    },
    async write(imageHash, values) {
      const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
      const temporary = joinInside(own, `.${imageHash}.${randomBytes(6).toString('hex')}.tmp`);
      await mkdir(own, { recursive: true });
      try {
        await writeFile(temporary, Buffer.concat([bytes, checksum(bytes)]));
        await rename(temporary, fileOf(imageHash));
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    },
    trim: () => trim(folder, maximumBytes),
  };
}

function checksum(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

async function trim(folder: string, maximumBytes: number): Promise<void> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const limit = pLimit(MAX_CONCURRENT_FILES);
  const found = await Promise.all(
    names.map((name) =>
      limit(async () => {
        const file = path.join(folder, name);
        const about = await stat(file).catch(() => undefined);
        return about?.isFile() ? { file, size: about.size, used: about.mtimeMs } : undefined;
      }),
    ),
  );
  const files = found.filter((entry) => entry !== undefined).sort((one, other) => one.used - other.used);
  let bytes = files.reduce((sum, { size }) => sum + size, 0);
  for (const { file, size } of files) {
    if (bytes <= maximumBytes) break;
    await rm(file, { force: true });
    bytes -= size;
  }
}
