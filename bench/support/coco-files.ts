/** Annotation files of the size and shape of COCO's train2017, generated from a seed. */
import { createWriteStream } from 'node:fs';
import { mkdir, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { seededRandom } from '../../src/core/seeded-random.ts';
import type { CocoFiles } from '../../src/datasets/coco.ts';

/** Figures of the official files (https://cocodataset.org/#download, 2017). */
export const TRAIN2017 = { images: 118_287, boxes: 860_001, captions: 591_753, instancesBytes: 469_785_474 };

const CATEGORIES = 80;
const random = seededRandom('coco-files');
const WORDS = 'a man riding wave on top of surfboard two dogs near red car street kitchen table with plate food'.split(
  ' ',
);

export interface CocoSize {
  images: number;
  boxes: number;
  captions: number;
}

/** Writes both files, unless they are there from an earlier run. */
export async function writeCocoFiles(folder: string, size: CocoSize): Promise<CocoFiles> {
  const files = {
    instances: join(folder, 'instances_train2017.json'),
    captions: join(folder, 'captions_train2017.json'),
  };
  await writeOnce(files.instances, instances(size));
  await writeOnce(files.captions, captions(size));
  return files;
}

async function writeOnce(file: string, pieces: Iterable<string>): Promise<void> {
  if (await stat(file).catch(() => undefined)) return;
  await mkdir(dirname(file), { recursive: true });
  await pipeline(Readable.from(pieces), createWriteStream(`${file}.part`));
  await rename(`${file}.part`, file);
}

function* instances(size: CocoSize): Generator<string> {
  yield `{"info": {"description": "COCO 2017 Dataset", "year": 2017}, "licenses": [{"id": 1, "name": "none"}], "images": [`;
  yield* imageRecords(size);
  yield '], "annotations": [';
  for (let index = 0; index < size.boxes; index += 1) {
    // So many numbers give the file the size of the official one.
    const outline = Array.from({ length: 46 }, () => (random.integer(64_000) / 100).toFixed(2)).join(', ');
    const [x, y, width, height] = [400, 300, 240, 180].map((limit) => random.integer(limit * 100) / 100);
    yield `${index === 0 ? '' : ', '}{"segmentation": [[${outline}]], "area": ${random.integer(1e6) / 100}, "iscrowd": 0, "image_id": ${imageOf(index, size)}, "bbox": [${x}, ${y}, ${width}, ${height}], "category_id": ${1 + random.integer(CATEGORIES)}, "id": ${index}}`;
  }
  const categories = Array.from({ length: CATEGORIES }, (_, index) => ({
    supercategory: 'thing',
    id: index + 1,
    name: `category ${index + 1}`,
  }));
  yield `], "categories": ${JSON.stringify(categories)}}`;
}

function* captions(size: CocoSize): Generator<string> {
  yield `{"info": {"description": "COCO 2017 Dataset", "year": 2017}, "licenses": [], "images": [`;
  yield* imageRecords(size);
  yield '], "annotations": [';
  for (let index = 0; index < size.captions; index += 1) {
    const caption = Array.from({ length: 10 }, () => random.pick(WORDS)).join(' ');
    yield `${index === 0 ? '' : ', '}${JSON.stringify({ image_id: imageOf(index, size), id: index, caption: `A ${caption}.` })}`;
  }
  yield ']}';
}

function* imageRecords({ images }: CocoSize): Generator<string> {
  for (let index = 0; index < images; index += 1) {
    const id = idOf(index);
    const file_name = `${String(id).padStart(12, '0')}.jpg`;
    const record = {
      license: 1,
      file_name,
      coco_url: `train2017/${file_name}`,
      height: 480,
      width: 640,
      date_captured: '2013-11-14 11:18:45',
      flickr_url: `farm/${id}/9a2b7c3d4e5f60718293_z.jpg`,
      id,
    };
    yield `${index === 0 ? '' : ', '}${JSON.stringify(record)}`;
  }
}

const idOf = (index: number) => 9 + index * 4;
/** Annotations lie across the images, as they do in the official files. */
const imageOf = (index: number, { images }: CocoSize) => idOf((index * 7919) % images);
