/** Files of rows in several shards: a folder of them stands for all, in the order of their names. */
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { hashValue } from '../../core/hash.ts';
import { InputError } from '../../core/input-error.ts';
import { hashInputFile } from '../../core/read-json.ts';
import { inputErrorOfFile } from '../../core/regular-file.ts';

/** A Parquet file, or all those of a folder and the folders in it. @throws InputError for a folder without any */
export function parquetFilesOf(path: string): Promise<string[]> {
  return shardsOf(path, '.parquet');
}

/** A tar archive, or all those of a folder and the folders in it. @throws InputError for a folder without any */
export function tarFilesOf(path: string): Promise<string[]> {
  return shardsOf(path, '.tar');
}

/**
 * What the shards of a folder are.
 *
 * @throws InputError for a folder of none, or of both
 */
export async function formatOfShards(folder: string): Promise<'parquet' | 'webdataset'> {
  const names = await readdir(folder, { recursive: true });
  const [isParquet, isTar] = ['.parquet', '.tar'].map((extension) => names.some((name) => name.endsWith(extension)));
  if (isParquet !== isTar) return isParquet ? 'parquet' : 'webdataset';
  const problem = isParquet ? 'has both Parquet files and tar archives' : 'has neither Parquet files nor tar archives';
  throw new InputError({ file: folder, problem, remedy: 'Name a folder with shards of one kind' });
}

/**
 * SHA-256 of a file of rows in any format, or of all shards of a folder.
 *
 * @throws InputError when it is missing, or is a folder without shards
 */
export async function hashTable(path: string): Promise<string> {
  if (!(await isFolder(path))) return hashInputFile(path);
  const shards = await shardsOf(path, (await formatOfShards(path)) === 'parquet' ? '.parquet' : '.tar');
  const hashes: [name: string, hash: string][] = [];
  // One after another: a folder may have hundreds of large files.
  for (const shard of shards) hashes.push([relative(path, shard), await hashInputFile(shard)]);
  return hashValue(hashes);
}

/** @throws InputError when the path does not exist or may not be looked at */
export async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch((cause: unknown) => {
    throw inputErrorOfFile(path, cause);
  });
  return found.isDirectory();
}

async function shardsOf(path: string, extension: string): Promise<string[]> {
  if (!(await isFolder(path))) return [path];
  const names = await readdir(path, { recursive: true });
  const shards = names.filter((name) => name.endsWith(extension)).sort();
  if (shards.length > 0) return shards.map((name) => join(path, name));
  throw new InputError({
    file: path,
    problem: `has no ${extension} file`,
    remedy: `Name a folder with *${extension} in it`,
  });
}
