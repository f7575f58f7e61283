import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCoco } from '../../datasets/coco.ts';
import { noSharedFiles, sharedFile } from '../shared-files.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const images = [
  { license: 1, file_name: '000000000009.jpg', height: 480, width: 640, id: 9 },
  { license: 1, file_name: '000000000005.jpg', height: 320, width: 200, id: 5 },
];
const box = (changes: object = {}) => ({
  segmentation: [[1, 2, 3, 4, 5, 6]],
  area: 12.5,
  iscrowd: 0,
  image_id: 9,
  bbox: [1.5, 2, 30, 40.25],
  category_id: 18,
  id: 1,
  ...changes,
});
const instances = {
  info: { year: 2017, annotations: [{ trap: 'not at the top' }] },
  images,
  // A run-length mask, as crowds have it.
  annotations: [
    box(),
    box({ id: 2, category_id: 1, segmentation: { counts: [1, 2], size: [3, 4] } }),
    box({ id: 3, image_id: 5 }),
  ],
  categories: [
    { supercategory: 'person', id: 1, name: 'person' },
    { supercategory: 'animal', id: 18, name: 'dog' },
  ],
};
const captions = {
  info: {},
  images,
  annotations: [
    { image_id: 9, id: 1, caption: 'A dog "at rest".\n' },
    { image_id: 9, id: 2, caption: 'Ein Hund – süß.' },
  ],
};

async function cocoFiles(changes: { instances?: object | string; captions?: object | string } = {}) {
  const folder = await temporaryFolder();
  const files = { instances: join(folder, 'instances.json'), captions: join(folder, 'captions.json') };
  const text = (value: object | string) => (typeof value === 'string' ? value : JSON.stringify(value, null, 1));
  await writeFile(files.instances, text(changes.instances ?? instances));
  await writeFile(files.captions, text(changes.captions ?? captions));
  return files;
}

describe('readCoco', () => {
  it('gives pictures by id, boxes with category names, and captions', async () => {
    const coco = await readCoco(await cocoFiles());
    expect(coco.pictures).toEqual([
      { id: 5, fileName: '000000000005.jpg', width: 200, height: 320 },
      { id: 9, fileName: '000000000009.jpg', width: 640, height: 480 },
    ]);
    expect(coco.boxes(9)).toEqual([
      { category: 'dog', box: [1.5, 2, 30, 40.25] },
      { category: 'person', box: [1.5, 2, 30, 40.25] },
    ]);
    expect(coco.captions(9)).toEqual(['A dog "at rest".', 'Ein Hund – süß.']);
    expect(coco.captions(5)).toEqual([]);
    expect(coco.boxes(77)).toEqual([]);
  });

  it('reads the real annotations of COCO, all of them', async (context) => {
    const folder = sharedFile('real-slice/COCO2017/annotations') ?? context.skip(noSharedFiles);
    const files = {
      instances: join(folder, 'instances_train2017.json'),
      captions: join(folder, 'captions_train2017.json'),
    };
    const coco = await readCoco(files);
    const whole: { annotations: unknown[] } = JSON.parse(await readFile(files.instances, 'utf8'));
    expect(coco.pictures).toHaveLength(80);
    expect(coco.pictures.flatMap(({ id }) => coco.boxes(id))).toHaveLength(whole.annotations.length);
    expect(coco.pictures.every(({ id }) => coco.captions(id).length >= 5)).toBe(true);
  });

  it.each([
    [
      'a box of three numbers',
      { ...instances, annotations: [box(), box({ bbox: [1, 2, 3] })] },
      /annotations\[1\]\.bbox/,
    ],
    [
      'a category that is not there',
      { ...instances, annotations: [box({ category_id: 99 })] },
      /annotations\[0\]\.category_id: 99 is none/,
    ],
    ['a picture without a file', { ...instances, images: [{ id: 1, width: 2, height: 3 }] }, /images\[0\]\.file_name/],
    ['a file without categories', { images, annotations: [] }, /: categories: is missing/],
  ])('names the field of %s', async (_, broken, message) => {
    await expect(readCoco(await cocoFiles({ instances: broken }))).rejects.toThrow(message);
  });

  it('names line and column of broken JSON', async () => {
    const files = await cocoFiles({ captions: '{\n "images": [],\n "annotations": [ { "caption": ] }\n' });
    await expect(readCoco(files)).rejects.toThrow(`${files.captions}:3:32: is not valid JSON`);
  });

  it('tells a file that was cut short, even between two tokens', async () => {
    for (const length of [300, 303, 310, JSON.stringify(instances).length - 1]) {
      const files = await cocoFiles({ instances: JSON.stringify(instances).slice(0, length) });
      await expect(readCoco(files)).rejects.toThrow(/instances\.json:1:\d+: is not valid JSON/);
    }
  });

  it('names a missing or empty file', async () => {
    const files = await cocoFiles({ captions: '' });
    await expect(readCoco({ ...files, instances: '/nowhere.json' })).rejects.toThrow('/nowhere.json: no such file');
    await expect(readCoco(files)).rejects.toThrow(`${files.captions}:1:1: is not valid JSON`);
  });
});
