/** Exports as they come back: by our own readers, and by those of others, whose results are fixtures. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openImage } from '../../src/core/images/open-image.ts';
import type { EngineSample } from '../../src/datasets/engine-data.ts';
import { exportVersion } from '../../src/datasets/export-version.ts';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import { tableRows } from '../../src/datasets/tables/index.ts';
import { type AnswerFormat, type TrainingSample, trainingSample } from '../../src/datasets/train-dataset.ts';
import { type TrainDatasetName, trainDatasets } from '../../src/datasets/train-datasets.ts';
import { exportedSamples, imagesPath, writeExports } from './exports.ts';
import { engineSample, versionedRun } from './versioned-run.ts';

let root = '';

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'dataengine-'));
  await writeExports(root);
});
afterAll(() => rm(root, { recursive: true }));

const samples = exportedSamples.flatMap((round, index) => round.map((sample) => ({ ...sample, round: index + 1 })));

/** What is trained on when a dataset is read from an export; images are below the data root, or in the export. */
async function trained(dataset: TrainDatasetName, path: string, format: AnswerFormat, images = root) {
  const source = {
    name: 'x',
    path: join(root, path),
    images: imageFolder(images),
    extractedImages: join(root, 'kept'),
  };
  const read: Omit<TrainingSample, 'id' | 'source'>[] = [];
  for await (const record of trainDatasets[dataset].read(source)) {
    const { id: _, source: __, ...sample } = trainingSample(record, { source: 'x', format });
    read.push(sample);
  }
  return read;
}

const photos = () => join(root, imagesPath);
/** What the run itself trains on: its own files, as they were appended. */
async function appended(format: AnswerFormat) {
  const rounds = exportedSamples.map((_, index) => `run/DataEngine_round${index + 1}_data.json`);
  return (await Promise.all(rounds.map((file) => trained('gptvqa', file, format, photos())))).flat();
}

async function pixelsOf(file: string) {
  return openImage(file, {}, ({ width, height, data }) => ({ width, height, data: Buffer.from(data).toString('hex') }));
}

describe('our own reader trains on the same as the run', () => {
  it.each([
    ['conversations', 'sharegpt/sharegpt.json', 'QMA'],
    ['conversations', 'messages/messages.jsonl', 'QMAE'],
    ['questions', 'parquet', 'QMAE'],
  ] as const)('%s of %s', async (dataset, path, format) => {
    expect(await trained(dataset, path, format)).toEqual(await appended(format));
  });

  it.each(['webdataset', 'parquet-with-images'])('questions of %s, with the same pixels', async (path) => {
    const [read, original] = [await trained('questions', path, 'QMAE'), await appended('QMAE')];
    expect(read.map(({ image: _, ...words }) => words)).toEqual(original.map(({ image: _, ...words }) => words));
    for (const [index, { image }] of read.entries()) {
      expect(image).toContain(join(root, 'kept'));
      expect(await pixelsOf(image as string)).toEqual(await pixelsOf(original[index]?.image as string));
    }
  });

  it("generated samples of the reference system's layout, whose numbers the table has texts for", async () => {
    const table: Record<string, string> = JSON.parse(await readFile(join(root, 'reference/image_ids.json'), 'utf8'));
    const read: unknown[] = [];
    for (const round of [1, 2]) {
      const file = join(root, `reference/gptvqa/DataEngine_round${round}_data.json`);
      for (const sample of JSON.parse(await readFile(file, 'utf8')) as (EngineSample & { image_id: number })[]) {
        read.push({ ...sample, image_id: table[sample.image_id] ?? sample.image_id, round });
      }
    }
    expect(read).toEqual(samples);
  });

  it("conversations of LLaVA's JSON, in its own words, with question, choices, letter and reason", async () => {
    const read = await trained('conversations', 'llava/llava.json', 'QMA');
    const letters = ['A', 'B', 'C', 'D'];
    expect(read).toEqual(
      (await appended('QMA')).map(({ image }, index) => {
        const { question, choices, correct_choice_idx, rationales } = samples[index] as (typeof samples)[number];
        const reason = (rationales[0] ?? '').replace('Explanation: ', '');
        const request = `Answer with the option's letter from the given choices${
          reason === '' ? ' directly.' : ', and explain your answer.'
        }`;
        const lines = choices.map((choice, place) => `${letters[place]}. ${choice}`);
        const letter = letters[correct_choice_idx ?? -1] as string;
        return {
          image,
          prompt: `${[question, ...lines, request].join('\n')}\n`,
          answer: reason === '' ? letter : `${letter}. ${reason}`,
        };
      }),
    );
  });

  it.each(['parquet', 'webdataset'])('the fields of %s that are not trained on are there too', async (format) => {
    const rows = await rowsOf(format);
    expect(rows).toMatchObject(
      samples.map(({ image_id, round, raw_instructions }) => ({
        image_id: String(image_id),
        round,
        raw_instructions,
      })),
    );
  });
});

/** As our reader of rows sees them, with numbers as JSON has them. */
async function rowsOf(path: string) {
  const rows: Record<string, unknown>[] = [];
  for await (const { values } of tableRows(join(root, path))) {
    const fields = [...values].map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value]);
    rows.push(Object.fromEntries(fields));
  }
  return rows;
}

/** What another program has read of these exports (test/fixtures/make-exports-fixture.py). */
async function readBy(program: string): Promise<{ by: string; [format: string]: unknown }> {
  return JSON.parse(await readFile(join(import.meta.dirname, '..', 'fixtures', 'exports', `${program}.json`), 'utf8'));
}

async function sizeOf(image: unknown): Promise<number[]> {
  const { width, height } = await sharp(image as Uint8Array).metadata();
  return [width, height];
}

describe("Hugging Face's datasets reads", () => {
  it.each([
    ['parquet', 'parquet'],
    ['messages', 'messages/messages.jsonl'],
    ['sharegpt', 'sharegpt/sharegpt.json'],
    ['llava', 'llava/llava.json'],
  ])('%s as our reader does', async (format, path) => {
    expect((await readBy('datasets'))[format]).toEqual(await rowsOf(path));
  });

  it("the reference system's layout as our reader does", async () => {
    const files = [1, 2].map((round) => `reference/gptvqa/DataEngine_round${round}_data.json`);
    expect((await readBy('datasets')).reference).toEqual((await Promise.all(files.map(rowsOf))).flat());
  });

  it('Parquet with images, as images', async () => {
    const rows = await rowsOf('parquet-with-images');
    const expected = await Promise.all(
      rows.map(async ({ image, ...fields }) => {
        const { bytes } = image as { bytes: Uint8Array };
        const { format = '' } = await sharp(bytes).metadata();
        return { image: { image: format.toUpperCase(), size: await sizeOf(bytes) }, ...fields };
      }),
    );
    expect((await readBy('datasets'))['parquet-with-images']).toEqual(expected);
  });

  it.each(['datasets', 'webdataset'])('WebDataset, as images and fields; so does %s', async (program) => {
    const rows = await rowsOf('webdataset');
    const read = (await readBy(program)).webdataset as { png: { size: number[] }; json: object; __key__: string }[];
    expect(read.map(({ png: { size }, json, __key__ }) => ({ size, json, __key__ }))).toEqual(
      await Promise.all(rows.map(async ({ id, image, ...json }) => ({ size: await sizeOf(image), json, __key__: id }))),
    );
  });
});

describe('programs that finetune', () => {
  const ourMessages = async (format: 'messages' | 'sharegpt') => {
    const rows = await rowsOf(format === 'messages' ? 'messages/messages.jsonl' : 'sharegpt/sharegpt.json');
    const turns = (row: Record<string, unknown>) =>
      format === 'messages'
        ? row.messages
        : (row.conversations as { from: string; value: string }[]).map(({ from, value }) => ({
            role: from === 'human' ? 'user' : 'assistant',
            content: value,
          }));
    return rows.map((row) => ({ turns: turns(row), images: row.images }));
  };

  it.each(['messages', 'sharegpt'] as const)('LLaMA-Factory reads %s', async (format) => {
    type Row = { _prompt: object[]; _response: object[]; _images: string[] };
    const read = (await readBy('llamafactory'))[format] as Row[];
    expect(
      read.map(({ _prompt, _response, _images }) => ({ turns: [..._prompt, ..._response], images: _images })),
    ).toEqual(await ourMessages(format));
  });

  it.each(['messages', 'sharegpt'] as const)('ms-swift reads %s', async (format) => {
    const read = (await readBy('swift'))[format] as { messages: object[]; images: { path: string }[] }[];
    expect(read.map(({ messages, images }) => ({ turns: messages, images: images.map(({ path }) => path) }))).toEqual(
      await ourMessages(format),
    );
  });
});

/** Of a size that does not shrink when it is compressed. */
function noisy(width: number, height: number) {
  return sharp(randomBytes(width * height * 3), { raw: { width, height, channels: 3 } });
}

describe('shards of WebDataset', () => {
  const count = 5;
  /** Images of about 300 KB: noise does not compress. */
  async function run() {
    const { runRoot, append } = await versionedRun();
    const { version } = await append(
      1,
      Array.from({ length: count }, (_, index) => engineSample(index + 1)),
    );
    const folder = join(runRoot, 'images');
    await mkdir(folder);
    for (let id = 1; id <= count; id += 1) {
      const noise = noisy(500, 300);
      await writeFile(
        join(folder, `${String(id).padStart(12, '0')}.jpg`),
        await noise.jpeg({ quality: 100 }).toBuffer(),
      );
    }
    const images = { folder: imageFolder(folder), path: 'images' };
    const write = async (name: string, shardSize?: number) => {
      const output = join(runRoot, name);
      const files = await exportVersion('webdataset', {
        runRoot,
        version,
        output,
        images,
        answerFormat: 'QMA',
        shardSize,
      });
      return Promise.all(files.slice(1).map(async (file) => readFile(join(output, file))));
    };
    return { folder, runRoot, write };
  }

  it('have at most the size that is asked for, in the order of the samples, and the same bytes each time', async () => {
    const { runRoot, write } = await run();
    const shards = await write('a', 1);
    expect(shards.length).toBeGreaterThan(1);
    for (const { length } of shards) expect(length).toBeLessThanOrEqual(1024 * 1024);
    expect((await write('b', 1)).every((content, index) => content.equals(shards[index] as Buffer))).toBe(true);
    expect(await write('c')).toHaveLength(1);
    const read: unknown[] = [];
    for await (const { values } of tableRows(join(runRoot, 'a'))) read.push(values.get('image_id'));
    expect(read).toEqual([1, 2, 3, 4, 5]);
  });

  it('an image that is larger than a shard has one for itself, and is read back', async () => {
    const { folder, runRoot, write } = await run();
    const large = noisy(900, 900);
    const content = await large.jpeg({ quality: 100 }).toBuffer();
    expect(content.length).toBeGreaterThan(1024 * 1024);
    await writeFile(join(folder, '000000000003.jpg'), content);
    const sizes = (await write('a', 1)).map(({ length }) => length > 1024 * 1024);
    expect(sizes.filter(Boolean)).toHaveLength(1);
    let found: unknown;
    for await (const { values } of tableRows(join(runRoot, 'a'))) {
      if (values.get('image_id') === 3) found = values.get('image');
    }
    expect(Buffer.from(found as Uint8Array).equals(content)).toBe(true);
  });

  it('an image that is missing ends the export, and nothing is left', async () => {
    const { folder, runRoot, write } = await run();
    await rm(join(folder, '000000000004.jpg'));
    await expect(write('a', 1)).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringContaining('000000000004'),
    });
    expect((await readdir(runRoot)).filter((name) => name.startsWith('a'))).toEqual([]);
  });
});
