import { mkdir, rename } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fillFolder } from '../core/files.ts';
import type { ImageId } from '../core/images/image-id.ts';
import { InputError } from '../core/input-error.ts';
import { joinInside } from '../core/inside.ts';
import { writeJson } from '../core/write-file.ts';
import { samplesAt } from './compare-versions.ts';
import { streamEngineData } from './engine-data.ts';
import { writeConversations } from './export-conversations.ts';
import type { ExportFormat } from './export-formats.ts';
import { writeLlavaFile } from './export-llava.ts';
import { type ExportInput, writeParquetDataset } from './export-parquet.ts';
import { writeWebDataset } from './export-webdataset.ts';
import { checkOutObject } from './version-objects.ts';
import { type DatasetVersion, lineageOf, versionsFolder } from './versions.ts';
import { writeJsonList } from './write-conversations.ts';

/**
 * Writes the files of a version and of those it adds to, byte for byte as they were appended, with the manifests
 * (`versions.json`, the first version first), and what a person decided about samples (`DataEngine_round<k>_review.jsonl`).
 *
 * @throws InputError when the folder is not empty, or a file of the history is missing
 */
export async function checkOutVersion(runRoot: string, version: DatasetVersion, output: string): Promise<string[]> {
  return fillFolder(output, async (folder) => [
    ...(await writeFiles(runRoot, version, folder, folder)),
    ...(await writeReviews(runRoot, version, folder)),
  ]);
}

/**
 * Writes all data at a version in another program's format.
 *
 * - `reference`: `gptvqa/DataEngine_round<k>_data.json`, as the reference system's training reads it; images whose ids are texts
 *   get numbers, with the table `image_ids.json` beside them
 * - `llava`: `llava.json`, conversations; images are named relative to the data root
 * - `sharegpt`: `sharegpt.json`, and `messages`: `messages.jsonl`, in the words of training; `dataset_info.json` for LLaMA-Factory
 * - `parquet`: a Hugging Face dataset: `README.md`, the dataset card, and `data/train-*.parquet`
 * - `webdataset`: a Hugging Face dataset too: the card, and `data/train-*.tar` with the images
 *
 * @returns the files, relative to the folder
 * @throws InputError when the folder is not empty, or a file of the history or an image is missing
 */
export async function exportVersion(format: ExportFormat, input: ExportInput): Promise<string[]> {
  const { runRoot, version, output } = input;
  if (['reference', 'parquet', 'webdataset'].includes(format)) await refuseShortAnswers(format, input);
  return fillFolder(output, async (folder) => {
    if (format === 'reference') {
      const files = await writeFiles(runRoot, version, join(folder, 'gptvqa'), folder);
      return [...files, ...(await numberImages(folder, files))];
    }
    if (format === 'parquet') return writeParquetDataset(folder, input);
    if (format === 'webdataset') return writeWebDataset(folder, input);
    if (format === 'llava') return writeLlavaFile(folder, input);
    return writeConversations(format, folder, input);
  });
}

/** These have no place for a sample without choices. */
async function refuseShortAnswers(format: ExportFormat, { runRoot, version }: ExportInput): Promise<void> {
  for await (const { choices } of samplesAt(runRoot, version)) {
    if (choices.length > 0) continue;
    throw new InputError({
      file: runRoot,
      field: version.id.slice(0, 12),
      problem: `has samples with short answers, and ${format} holds choices alone`,
      remedy: 'Export as llava, sharegpt or messages',
    });
  }
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
    await checkOutObject(join(runRoot, versionsFolder), sha256, joinInside(folder, name));
  }
  await writeJson(join(manifestFolder, 'versions.json'), lineage);
  const written = lineage.flatMap(({ files }) => files.map(({ name }) => joinInside(folder, name)));
  return [...written.map((file) => relative(manifestFolder, file)), 'versions.json'];
}

async function writeReviews(runRoot: string, version: DatasetVersion, folder: string): Promise<string[]> {
  const names: string[] = [];
  for (const { round, review } of await lineageOf(runRoot, version)) {
    if (review === undefined) continue;
    const name = `DataEngine_round${round}_review.jsonl`;
    await checkOutObject(join(runRoot, versionsFolder), review.sha256, joinInside(folder, name));
    names.push(name);
  }
  return names;
}

/** Number → the text that was the id of the image. */
const imageNumbersFile = 'image_ids.json';

/**
 * Gives the images of exported files numbers where their ids are texts, which the reference system can't read: the smallest
 * that no image has, in the order of the samples. Files without such ids stay as they are.
 *
 * @returns the table of the numbers, if there is one
 */
async function numberImages(folder: string, files: readonly string[]): Promise<string[]> {
  const data = files.filter((name) => name !== 'versions.json').map((name) => joinInside(folder, name));
  const ids = new Set<ImageId>();
  for (const file of data) for await (const { image_id } of streamEngineData(file)) ids.add(image_id);
  const numbers = new Map<string, number>();
  let next = 1;
  for (const id of ids) {
    if (typeof id === 'number') continue;
    while (ids.has(next)) next += 1;
    numbers.set(id, next);
    next += 1;
  }
  if (numbers.size === 0) return [];
  for (const file of data) {
    async function* numbered() {
      for await (const { image_id, ...sample } of streamEngineData(file)) {
        yield { image_id: typeof image_id === 'string' ? numbers.get(image_id) : image_id, ...sample };
      }
    }
    await writeJsonList(`${file}.tmp`, numbered());
    await rename(`${file}.tmp`, file);
  }
  await writeJson(join(folder, imageNumbersFile), Object.fromEntries([...numbers].map(([id, number]) => [number, id])));
  return [imageNumbersFile];
}
