/** One version in every format that others read, as the fixtures of their readers were made from it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import type { EngineSample } from '../../src/datasets/engine-data.ts';
import type { ExportFormat } from '../../src/datasets/export-formats.ts';
import { exportVersion } from '../../src/datasets/export-version.ts';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import { engineSample, versionedRun } from './versioned-run.ts';

/** Ids of both kinds, a type and words in other letters, marks that formats have to quote, lists that may be empty. */
export const exportedSamples: readonly (readonly EngineSample[])[] = [
  [
    engineSample(1, { image_id: 'line 2/a.jpg', rationales: [] }),
    engineSample(2, {
      question: 'A "quoted"\n\\ question,\twith a tab?',
      choices: ['', 'x'].map((end) => `two${end}`),
    }),
  ],
  [
    engineSample(3, {
      image_id: 'küche/山 [1].png',
      question_type: 'Größe',
      rationales: ['short', 'Explanation: 山.'],
    }),
    engineSample(0, { image_id: 'line 2/a.jpg', raw_instructions: '' }),
  ],
].map((round) => round.map((sample) => ({ ...sample, correct_choice_idx: (sample.correct_choice_idx ?? 0) % 2 })));

/** Of the images below the data root. */
export const imagesPath = 'photos';

/** The images by their paths below that: upright, one that readers turn or not, one with transparency. */
const images = {
  'line 2/a.jpg': () => plain(9, 8).jpeg(),
  '000000000002.jpg': () => plain(10, 8).withMetadata({ orientation: 6 }).jpeg(),
  'küche/山 [1].png': () => plain(11, 8).ensureAlpha(0.5).png(),
};

function plain(width: number, height: number) {
  return sharp({ create: { width, height, channels: 3, background: '#c02010' } });
}

/** What a format is exported with: together they have all that may differ. */
const settings = {
  reference: { answerFormat: 'QMA' },
  llava: { answerFormat: 'QMAE' },
  sharegpt: { answerFormat: 'QMA' },
  messages: { answerFormat: 'QMAE' },
  parquet: { answerFormat: 'QMA' },
  webdataset: { answerFormat: 'QMA' },
} as const satisfies Record<ExportFormat, { answerFormat: 'QMA' | 'QMAE' }>;

/**
 * Exports the version once for each format, into `<folder>/<format>` (`parquet-with-images` too), with the images in
 * `<folder>/photos`, of a run in `<folder>/run`.
 */
export async function writeExports(folder: string): Promise<void> {
  await mkdir(join(folder, 'run'), { recursive: true });
  const { runRoot, append } = await versionedRun(join(folder, 'run'));
  const appended = [];
  for (const [index, samples] of exportedSamples.entries()) appended.push(await append(index + 1, [...samples]));
  const version = appended.at(-1)?.version;
  if (version === undefined) throw new Error('there are no samples');
  const photos = join(folder, imagesPath);
  for (const [path, image] of Object.entries(images)) {
    await mkdir(dirname(join(photos, path)), { recursive: true });
    await writeFile(join(photos, path), await image().toBuffer());
  }
  const input = { runRoot, version, images: { folder: imageFolder(photos), path: imagesPath } };
  for (const [format, { answerFormat }] of Object.entries(settings) as [ExportFormat, (typeof settings)['llava']][]) {
    await exportVersion(format, { ...input, answerFormat, output: join(folder, format) });
  }
  const output = join(folder, 'parquet-with-images');
  await exportVersion('parquet', { ...input, answerFormat: 'QMA', output, embedImages: true });
}
