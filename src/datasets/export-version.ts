import { mkdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fillFolder } from '../core/files.ts';
import { writeJson } from '../core/write-file.ts';
import { writeLlavaFile } from './export-llava.ts';
import { type ExportInput, writeParquetDataset } from './export-parquet.ts';
import { checkOutObject } from './version-objects.ts';
import { type DatasetVersion, lineageOf, versionsFolder } from './versions.ts';

const exportFormats = ['reference', 'llava', 'parquet'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/**
 * Writes the files of a version and of those it adds to, byte for byte as they were appended, with the manifests
 * (`versions.json`, the first version first).
 *
 * @throws InputError when the folder is not empty, or a file of the history is missing
 */
export async function checkOutVersion(runRoot: string, version: DatasetVersion, output: string): Promise<string[]> {
  return fillFolder(output, (folder) => writeFiles(runRoot, version, folder, folder));
}

/**
 * Writes all data at a version in another program's format.
 *
 * - `reference`: `gptvqa/DataEngine_round<k>_data.json`, as the reference system's training reads it
 * - `llava`: `llava.json`, conversations; images are named relative to the data root
 * - `parquet`: a Hugging Face dataset: `README.md`, the dataset card, and `data/train-*.parquet`
 *
 * @returns the files, relative to the folder
 * @throws InputError when the folder is not empty, or a file of the history or an image is missing
 */
export async function exportVersion(format: ExportFormat, input: ExportInput): Promise<string[]> {
  const { runRoot, version, output } = input;
  return fillFolder(output, async (folder) => {
    if (format === 'reference') return writeFiles(runRoot, version, join(folder, 'gptvqa'), folder);
    if (format === 'parquet') return writeParquetDataset(folder, input);
    return writeLlavaFile(folder, input);
  });
}

async function writeFiles(
  runRoot: string,
  version: DatasetVersion,
  folder: string,
  manifestFolder: string,
): Promise<string[]> {
  const lineage = await lineageOf(runRoot, version);
  await mkdir(folder, { recursive: true });
  for (const { name, sha256 } of lineage.flatMap(({ files }) => files)) {
    await checkOutObject(join(runRoot, versionsFolder), sha256, join(folder, name));
  }
  await writeJson(join(manifestFolder, 'versions.json'), lineage);
  const written = lineage.flatMap(({ files }) => files.map(({ name }) => join(folder, name)));
  return [...written.map((file) => relative(manifestFolder, file)), 'versions.json'];
}
