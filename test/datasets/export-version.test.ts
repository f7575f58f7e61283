import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { conversations } from '../../src/datasets/conversations.ts';
import { readEngineData } from '../../src/datasets/engine-data.ts';
import type { ExportFormat } from '../../src/datasets/export-formats.ts';
import { exportVersion } from '../../src/datasets/export-version.ts';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import { type TrainRecord, trainingSample } from '../../src/datasets/train-dataset.ts';
import { trainDatasets } from '../../src/datasets/train-datasets.ts';
import { engineSample, versionedRun } from './versioned-run.ts';

const run = promisify(execFile);
/** A Python that has Hugging Face's `datasets` (and Pillow): named by DATASETS_PYTHON, or the one on the PATH. */
const python = process.env.DATASETS_PYTHON ?? 'python3';
const hasDatasets = await run(python, ['-c', 'import datasets, PIL']).then(
  () => true,
  () => false,
);

const round1 = [engineSample(1), engineSample(2, { question: 'A "quoted"\n\\ question?' })];
const round2 = [engineSample(3, { question_type: 'image_topic' })];

async function exported(format: ExportFormat, changes: { embedImages?: boolean; answerFormat?: 'QMA' | 'QMAE' } = {}) {
  const { runRoot, append } = await versionedRun();
  await append(1, round1);
  const { version } = await append(2, round2);
  const folder = join(runRoot, 'images');
  await mkdir(folder);
  for (const id of [1, 2, 3]) {
    const image = sharp({ create: { width: 8 + id, height: 8, channels: 3, background: 'red' } });
    await writeFile(join(folder, `${String(id).padStart(12, '0')}.jpg`), await image.jpeg().toBuffer());
  }
  const output = join(runRoot, 'out');
  const images = { folder: imageFolder(folder), path: 'COCO2017/train2017' };
  const files = await exportVersion(format, { runRoot, version, output, images, answerFormat: 'QMA', ...changes });
  return { output, files };
}

describe('exportVersion', () => {
  it("writes the reference system's files in its layout", async () => {
    const { output, files } = await exported('reference');
    const written = await readdir(output, { recursive: true, withFileTypes: true });
    const names = written.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    expect(files.map((file) => join(output, file)).sort()).toEqual(names.sort());
    expect(await readEngineData(join(output, 'gptvqa', 'DataEngine_round1_data.json'))).toEqual(round1);
    expect(await readEngineData(join(output, 'gptvqa', 'DataEngine_round2_data.json'))).toEqual(round2);
  });

  it("writes LLaVA's conversations", async () => {
    const { output } = await exported('llava');
    const samples = JSON.parse(await readFile(join(output, 'llava.json'), 'utf8'));
    expect(samples).toHaveLength(3);
    expect(new Set(samples.map(({ id }: { id: string }) => id)).size).toBe(3);
    expect(samples[0]).toMatchObject({
      image: 'COCO2017/train2017/000000000001.jpg',
      conversations: [
        {
          from: 'human',
          value:
            "<image>\nWhat's in image 1?\nA. a cat\nB. a dog\nC. ein Hügel\nD. 山\nAnswer with the option's letter from the given choices directly.",
        },
        { from: 'gpt', value: 'B' },
      ],
    });
    const explained = await exported('llava', { answerFormat: 'QMAE' });
    const [first] = JSON.parse(await readFile(join(explained.output, 'llava.json'), 'utf8'));
    expect(first.conversations[1]).toEqual({ from: 'gpt', value: 'B. one sees it.' });
  });

  it.each([
    ['sharegpt', 'sharegpt.json', 'QMA'],
    ['messages', 'messages.jsonl', 'QMAE'],
  ] as const)('writes %s, of which our own reader trains on the same words', async (format, file, answerFormat) => {
    const { output, files } = await exported(format, { answerFormat });
    expect(files).toEqual([file, 'dataset_info.json']);
    const root = join(output, '..');
    const images = { ...imageFolder(root), fileOf: async (id: unknown) => join(root, String(id)) };
    const all = async (records: AsyncIterable<TrainRecord>) => {
      const samples = [];
      for await (const record of records) {
        const { id: _, source: __, ...sample } = trainingSample(record, { source: 'x', format: answerFormat });
        samples.push({ ...sample, image: basename(sample.image ?? '') });
      }
      return samples;
    };
    const written = await all(conversations.read({ name: 'x', path: join(output, file), images }));
    const appended = [];
    const reference = await exported('reference');
    for (const round of [1, 2]) {
      const path = join(reference.output, 'gptvqa', `DataEngine_round${round}_data.json`);
      appended.push(...(await all(trainDatasets.gptvqa.read({ name: 'x', path, images: imageFolder('/') }))));
    }
    expect(written).toEqual(appended);
  });

  it('tells LLaMA-Factory the columns and tags', async () => {
    const info = async (format: ExportFormat) =>
      JSON.parse(await readFile(join((await exported(format)).output, 'dataset_info.json'), 'utf8'));
    expect(await info('messages')).toEqual({
      data_engine: {
        file_name: 'messages.jsonl',
        formatting: 'sharegpt',
        columns: { messages: 'messages', images: 'images' },
        tags: { role_tag: 'role', content_tag: 'content', user_tag: 'user', assistant_tag: 'assistant' },
      },
    });
    expect(await info('sharegpt')).toEqual({
      data_engine: {
        file_name: 'sharegpt.json',
        formatting: 'sharegpt',
        columns: { messages: 'conversations', images: 'images' },
      },
    });
  });

  it("names a sample whose words have LLaVA's image mark, which would stand for another image", async () => {
    const { runRoot, append } = await versionedRun();
    const { version } = await append(1, [engineSample(1, { question: 'What does the <image> tag mean?' })]);
    const input = { runRoot, version, output: join(runRoot, 'out'), answerFormat: 'QMA' as const };
    const images = { folder: imageFolder('/nowhere'), path: 'x' };
    for (const format of ['llava', 'sharegpt', 'messages'] as const) {
      await expect(exportVersion(format, { ...input, images })).rejects.toMatchObject({
        name: 'InputError',
        problem: expect.stringContaining('<image>'),
      });
    }
  });

  it('names an image that is not there', async () => {
    const { runRoot, append } = await versionedRun();
    const { version } = await append(1, round1);
    const input = { runRoot, version, output: join(runRoot, 'out'), answerFormat: 'QMA' as const, embedImages: true };
    const images = { folder: imageFolder('/nowhere'), path: 'x' };
    await expect(exportVersion('parquet', { ...input, images })).rejects.toThrow('/nowhere/000000000001.jpg: no such');
  });
});

describe.skipIf(!hasDatasets)("Hugging Face's datasets (needs Python with datasets and Pillow)", () => {
  async function load(output: string) {
    const script = `
import json, sys
from datasets import load_dataset
dataset = load_dataset(${JSON.stringify(output)}, split="train")
rows = [dict(row, image=list(row["image"].size)) if "image" in row else row for row in dataset]
print(json.dumps({"rows": rows, "features": {name: type(feature).__name__ for name, feature in dataset.features.items()}}))`;
    const env = { ...process.env, HF_HUB_OFFLINE: '1', HF_HOME: join(output, '..', 'cache') };
    return JSON.parse((await run(python, ['-c', script], { env })).stdout);
  }

  it('loads the Parquet files by the dataset card', async () => {
    const { output, files } = await exported('parquet');
    expect(files).toEqual(['README.md', 'data/train-00000-of-00001.parquet']);
    const { rows } = await load(output);
    expect(rows).toEqual(
      [...round1, ...round2].map((sample, index) => ({
        image_file: `COCO2017/train2017/${String(sample.image_id).padStart(12, '0')}.jpg`,
        round: index < 2 ? 1 : 2,
        ...sample,
      })),
    );
  });

  it('loads images that are in the files', async () => {
    const { rows, features } = await load((await exported('parquet', { embedImages: true })).output);
    expect(features.image).toBe('Image');
    expect(rows.map(({ image }: { image: number[] }) => image)).toEqual([
      [9, 8],
      [10, 8],
      [11, 8],
    ]);
  });
});

describe('exportVersion, of images whose ids are paths', () => {
  const ids = ['line 2/a.jpg', 2, 'küche/山 [1].jpg'] as const;

  async function exportedPaths(format: ExportFormat, changes: { embedImages?: boolean } = {}) {
    const { runRoot, append } = await versionedRun();
    const { version } = await append(
      1,
      [...ids, ids[0]].map((image_id, index) => engineSample(index, { image_id })),
    );
    const folder = join(runRoot, 'images');
    for (const id of ids) {
      const file = join(folder, typeof id === 'number' ? `${String(id).padStart(12, '0')}.jpg` : id);
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(
        file,
        await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
          .jpeg()
          .toBuffer(),
      );
    }
    const output = join(runRoot, 'out');
    const images = { folder: imageFolder(folder), path: 'photos' };
    const files = await exportVersion(format, { runRoot, version, output, images, answerFormat: 'QMA', ...changes });
    return { output, files };
  }

  it("the reference system's layout has numbers for them, with a table beside", async () => {
    const { output, files } = await exportedPaths('reference');
    expect(files).toContain('image_ids.json');
    const samples = await readEngineData(join(output, 'gptvqa', 'DataEngine_round1_data.json'));
    expect(samples.map(({ image_id }) => image_id)).toEqual([1, 2, 3, 1]);
    expect(samples[2]).toEqual(engineSample(2, { image_id: 3 }));
    expect(JSON.parse(await readFile(join(output, 'image_ids.json'), 'utf8'))).toEqual({ 1: ids[0], 3: ids[2] });
  });

  it("LLaVA's conversations name the files", async () => {
    const { output } = await exportedPaths('llava');
    const samples: { image: string }[] = JSON.parse(await readFile(join(output, 'llava.json'), 'utf8'));
    expect(samples.map(({ image }) => image)).toEqual([
      'photos/line 2/a.jpg',
      'photos/000000000002.jpg',
      'photos/küche/山 [1].jpg',
      'photos/line 2/a.jpg',
    ]);
  });

  it.each([false, true])('Parquet has them as texts (images included: %s)', async (embedImages) => {
    const { output } = await exportedPaths('parquet', { embedImages });
    const name = embedImages ? 'image.path' : 'image_file';
    const rows = await parquetRows(
      join(output, 'data'),
      `image_id, ${name}, ${embedImages ? 'octet_length(image.bytes) > 99' : true}`,
    );
    const folder = embedImages ? '' : 'photos/';
    expect(rows).toEqual([
      ['line 2/a.jpg', `${folder}line 2/a.jpg`, true],
      ['2', `${folder}000000000002.jpg`, true],
      ['küche/山 [1].jpg', `${folder}küche/山 [1].jpg`, true],
      ['line 2/a.jpg', `${folder}line 2/a.jpg`, true],
    ]);
    expect(await readFile(join(output, 'README.md'), 'utf8')).toMatch(/name: image_id\n\s+dtype: string/);
  });
});

async function parquetRows(folder: string, columns: string): Promise<unknown[][]> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const rows = await connection.runAndReadAll(`SELECT ${columns} FROM '${folder}/*.parquet'`);
  return rows.getRowsJS() as unknown[][];
}
