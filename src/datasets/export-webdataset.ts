import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import type { ImageId } from '../core/images/image-id.ts';
import { portableImage, portableKind } from '../core/images/open-image.ts';
import { joinInside } from '../core/inside.ts';
import { StorageError, writeFileAtomically } from '../core/write-file.ts';
import { samplesAt } from './compare-versions.ts';
import { datasetCard } from './dataset-card.ts';
import { type EngineSample, streamEngineData } from './engine-data.ts';
import type { ExportInput } from './export-parquet.ts';
import { lineageOf, versionObject } from './versions.ts';

const MEBIBYTE = 1024 * 1024;
/** MiB; small enough to download again when one is damaged, large enough that few files are opened. */
const SHARD_SIZE = 1024;

/** A tar archive's blocks: a member has one for its name, and as many as its content fills; two end the archive. */
const BLOCK = 512;
const sizeInTar = (content: Uint8Array) => BLOCK + Math.ceil(content.length / BLOCK) * BLOCK;
const ARCHIVE_END = 2 * BLOCK;

/** What is the same for all samples, because readers take the types of the first ones for those of all. */
interface Shape {
  samples: number;
  /** The extension of every image. */
  extension: 'jpg' | 'png';
  imageIdType: 'BIGINT' | 'VARCHAR';
}

/**
 * Writes all samples at a version as WebDataset's shards (https://github.com/webdataset/webdataset) with a dataset card, which
 * `webdataset` and Hugging Face's `datasets` read: `data/train-00000.tar`, …; of each sample an image and a `.json` with its
 * fields. The same version gives the same bytes.
 *
 * Images are named `.jpg` where all are JPEG, else `.png`, because `datasets` takes the same members for every sample only; all
 * readers open them by their content. An archive has at most `shardSize` MiB, or one sample.
 *
 * @returns the files' names
 * @throws InputError for an image that is missing or can't be opened; StorageError when the disk is full
 */
export async function writeWebDataset(folder: string, input: ExportInput): Promise<string[]> {
  await mkdir(join(folder, 'data'));
  const shape = await shapeOf(input);
  const files: string[] = [];
  const limit = (input.shardSize ?? SHARD_SIZE) * MEBIBYTE;
  let shard: Shard | undefined;
  try {
    let index = 0;
    for await (const sample of samplesWithRound(input)) {
      const members = await membersOf(sample, `${input.version.id.slice(0, 12)}-${index}`, shape, input);
      const size = members.reduce((sum, [, content]) => sum + sizeInTar(content), 0);
      if (shard !== undefined && shard.size + size + ARCHIVE_END > limit) {
        await shard.close();
        shard = undefined;
      }
      if (shard === undefined) {
        const name = `data/train-${String(files.length).padStart(5, '0')}.tar`;
        shard = openShard(join(folder, name));
        files.push(name);
      }
      for (const [name, content] of members) await shard.add(name, content);
      index += 1;
    }
    await shard?.close();
  } catch (error) {
    shard?.abandon();
    throw error;
  }
  const { version, runRoot } = input;
  const lineage = await lineageOf(runRoot, version);
  const card = datasetCard({ version, lineage, layout: 'webdataset', facts: input.card, ...shape });
  await writeFileAtomically(join(folder, 'README.md'), card);
  return ['README.md', ...files];
}

async function shapeOf({ runRoot, version, images }: ExportInput): Promise<Shape> {
  const ids = new Set<ImageId>();
  let samples = 0;
  for await (const { image_id } of samplesAt(runRoot, version)) {
    ids.add(image_id);
    samples += 1;
  }
  let extension: Shape['extension'] = 'jpg';
  for (const id of ids) {
    if (extension === 'jpg' && (await portableKind(await images.folder.fileOf(id))) !== 'jpeg') {
      extension = 'png';
    }
  }
  return { samples, extension, imageIdType: [...ids].some((id) => typeof id === 'string') ? 'VARCHAR' : 'BIGINT' };
}

async function* samplesWithRound({ runRoot, version }: ExportInput): AsyncGenerator<EngineSample & { round: number }> {
  for (const { round, files } of await lineageOf(runRoot, version)) {
    for (const file of files) {
      for await (const sample of streamEngineData(versionObject(runRoot, file))) yield { ...sample, round };
    }
  }
}

type Member = readonly [name: string, content: Buffer];

async function membersOf(
  { image_id, round, raw_instructions, ...question }: EngineSample & { round: number },
  key: string,
  { extension, imageIdType }: Shape,
  { images, exif }: ExportInput,
): Promise<Member[]> {
  const file = await images.folder.fileOf(image_id);
  const { content } = await portableImage(file, { exif });
  const fields = {
    image_file: joinInside(images.path, relative(images.folder.path, file)),
    image_id: imageIdType === 'VARCHAR' ? String(image_id) : image_id,
    round,
    ...question,
    raw_instructions,
  };
  return [
    [`${key}.${extension}`, content],
    [`${key}.json`, Buffer.from(JSON.stringify(fields))],
  ];
}

interface Shard {
  /** Bytes so far, without the end. */
  readonly size: number;
  add(name: string, content: Buffer): Promise<void>;
  close(): Promise<void>;
  abandon(): void;
}

function openShard(file: string): Shard {
  const archive = pack();
  const written = pipeline(archive, createWriteStream(file, { flush: true })).catch((cause: unknown) => {
    throw new StorageError(file, cause);
  });
  // Whoever adds or closes sees the error.
  written.catch(() => undefined);
  let size = 0;
  return {
    get size() {
      return size;
    },
    async add(name, content) {
      await Promise.race([addMember(archive, name, content), written]);
      size += sizeInTar(content);
    },
    async close() {
      archive.finalize();
      await written;
    },
    abandon: () => archive.destroy(),
  };
}

/** Resolves when the archive has taken all of it. */
function addMember(archive: Pack, name: string, content: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const header = { name, size: content.length, mode: 0o644, mtime: new Date(0) };
    archive.entry(header, (error) => (error ? reject(error) : resolve())).end(content);
  });
}
