import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeJson } from '../core/write-file.ts';
import { samplesAt } from './compare-versions.ts';
import type { ExportInput } from './export-input.ts';
import { writeParquetDataset } from './export-parquet.ts';
import { fillFolder } from './fill-folder.ts';
import { llavaSample } from './llava-format.ts';
import { checkOutObject } from './version-objects.ts';
import { type DatasetVersion, lineageOf, versionsFolder } from './versions.ts';
import { writeJsonList } from './write-json-list.ts';

export const exportFormats = ['reference', 'llava', 'parquet'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/**
 * Writes the files of a version and of those it adds to, byte for byte as they were appended, with the manifests
 * (`versions.json`, the first version first).
 *
 * @throws InputError when the folder is not empty, or a part of the history is gone
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
 * @throws InputError when the folder is not empty, or a part of the history is gone, or an image is missing
 */
export async function exportVersion(format: ExportFormat, input: ExportInput): Promise<string[]> {
  const { runRoot, version, output, images, answerFormat } = input;
  return fillFolder(output, async (folder) => {
    if (format === 'reference') return writeFiles(runRoot, version, join(folder, 'gptvqa'), folder);
    if (format === 'parquet') return writeParquetDataset(folder, input);
    async function* conversations() {
      let index = 0;
      for await (const sample of samplesAt(runRoot, version)) {
        yield llavaSample(sample, { id: `${version.id.slice(0, 12)}-${index}`, images: images.path, answerFormat });
        index += 1;
      }
    }
    await writeJsonList(join(folder, 'llava.json'), conversations());
    return ['llava.json'];
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
  return [...lineage.flatMap(({ files }) => files.map(({ name }) => name)), 'versions.json'];
}
