import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { hashFile, hashValue } from '../../src/core/hash.ts';
import { InputError } from '../../src/core/input-error.ts';
import { readJson } from '../../src/core/read-json.ts';
import { writeFileAtomically, writeJson } from '../../src/core/write-file.ts';

const MANIFEST = 'scenes-manifest.json';
/** Marks a root whose files were written here, complete or not. */
const MARKER = '.scenes';

/** Increased when the same options would give other data than before. */
const GENERATOR_VERSION = 1;

/** Folders that only this program writes; it touches nothing else in a root. */
const OWN_FOLDERS = ['COCO2017', 'A-OKVQA', 'cc_sbu_align'] as const;

const TEXT_FILES = [
  ...['train', 'val', 'test'].flatMap((split) => [
    `COCO2017/annotations/instances_${split}2017.json`,
    `COCO2017/annotations/captions_${split}2017.json`,
  ]),
  'A-OKVQA/aokvqa_v1p0_train.json',
  'A-OKVQA/aokvqa_v1p0_val.json',
  'A-OKVQA/aokvqa_v1p0_val_classified.json',
  'A-OKVQA/aokvqa_v1p0_test.json',
  'A-OKVQA/aokvqa_v1p0_test_classified.json',
  'cc_sbu_align/filter_cap.json',
];

const manifestSchema = z.object({
  schemaVersion: z.literal(1),
  /** Hash of the options and of the generator's version. */
  optionsHash: z.string(),
  counts: z.record(z.string(), z.number()),
  /** SHA-256 of each annotation file. */
  files: z.record(z.string(), z.string()),
});

/** The last file that is written: a root that has it is complete. */
export type DatasetManifest = z.output<typeof manifestSchema>;

function hashOptions(options: object): string {
  return hashValue({ version: GENERATOR_VERSION, ...options });
}

/** The manifest of a root that is complete for these options, or undefined. */
export async function isComplete(root: string, options: object): Promise<DatasetManifest | undefined> {
  const file = join(root, MANIFEST);
  if (!existsSync(file)) return undefined;
  // A manifest that cannot be read does not prove that the root is complete.
  const manifest = await readJson(file, manifestSchema).catch(() => undefined);
  return manifest?.optionsHash === hashOptions(options) ? manifest : undefined;
}

/**
 * Removes the files of an earlier, different or interrupted run, and marks the root as ours.
 *
 * @throws InputError when the root has such folders from elsewhere: real data is never removed.
 */
export async function startDataset(root: string): Promise<void> {
  const taken = OWN_FOLDERS.find((folder) => existsSync(join(root, folder)));
  if (taken && !existsSync(join(root, MARKER))) {
    throw new InputError({
      file: join(root, taken),
      problem: 'is there already and does not come from the demo domain',
      remedy: 'Choose another data.root for the scenes, or leave data.scenes out to use the data that is there',
    });
  }
  await mkdir(root, { recursive: true });
  await rm(join(root, MANIFEST), { force: true });
  await writeFileAtomically(
    join(root, MARKER),
    'The folders beside this file are written by the demo (demo/scenes) and may be removed.\n',
  );
  for (const folder of OWN_FOLDERS) await rm(join(root, folder), { recursive: true, force: true });
}

/** Writes the manifest. */
export async function finishDataset(
  root: string,
  options: object,
  counts: Record<string, number>,
): Promise<DatasetManifest> {
  const files: Record<string, string> = {};
  for (const file of TEXT_FILES) files[file] = await hashFile(join(root, file));
  const manifest: DatasetManifest = { schemaVersion: 1, optionsHash: hashOptions(options), counts, files };
  await writeJson(join(root, MANIFEST), manifest);
  return manifest;
}
