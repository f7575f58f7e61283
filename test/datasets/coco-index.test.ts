import { execFile } from 'node:child_process';
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { withCoco } from '../../src/datasets/coco-index.ts';
import { noSharedFiles, sharedFile } from '../helpers/shared-files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { allAnnotations, readAll } from './all-annotations.ts';

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
  const files = { folder, instances: join(folder, 'instances.json'), captions: join(folder, 'captions.json') };
  const text = (value: object | string) => (typeof value === 'string' ? value : JSON.stringify(value, null, 1));
  await writeFile(files.instances, text(changes.instances ?? instances));
  await writeFile(files.captions, text(changes.captions ?? captions));
  return files;
}

async function index(files: Awaited<ReturnType<typeof cocoFiles>>) {
  const cache = join(files.folder, 'cache');
  const images = await withCoco(files, cache, readAll);
  return { images, cache };
}

describe('withCoco', () => {
  it('gives images by id, boxes with category names, and captions', async () => {
    const { images } = await index(await cocoFiles());
    expect(images).toEqual([
      {
        id: 5,
        fileName: '000000000005.jpg',
        width: 200,
        height: 320,
        boxCount: 1,
        captionCount: 0,
        boxes: [{ category: 'dog', box: [1.5, 2, 30, 40.25] }],
        captions: [],
      },
      {
        id: 9,
        fileName: '000000000009.jpg',
        width: 640,
        height: 480,
        boxCount: 2,
        captionCount: 2,
        boxes: [
          { category: 'dog', box: [1.5, 2, 30, 40.25] },
          { category: 'person', box: [1.5, 2, 30, 40.25] },
        ],
        captions: ['A dog "at rest".', 'Ein Hund – süß.'],
      },
    ]);
  });

  it('says that an image is not there', async () => {
    const files = await cocoFiles();
    await expect(withCoco(files, files.folder, (coco) => coco.read([9, 77]))).rejects.toThrow('Image 77 is not among');
  });

  it('reads the real annotations of COCO, all of them', async (context) => {
    const folder = sharedFile('real-slice/COCO2017/annotations') ?? context.skip(noSharedFiles);
    const files = {
      instances: join(folder, 'instances_train2017.json'),
      captions: join(folder, 'captions_train2017.json'),
    };
    const images = await allAnnotations(files);
    const whole: { annotations: { image_id: number; bbox: number[] }[] } = JSON.parse(
      await readFile(files.instances, 'utf8'),
    );
    expect(images).toHaveLength(80);
    for (const { id, boxes } of images) {
      const own = whole.annotations.filter(({ image_id }) => image_id === id);
      expect(boxes.map(({ box }) => box)).toEqual(own.map(({ bbox }) => bbox));
    }
    expect(images.every(({ captions }) => captions.length >= 5)).toBe(true);
  });

  it.each([
    [
      'a box of three numbers',
      { ...instances, annotations: [box(), box({ bbox: [1, 2, 3] })] },
      /annotations\[1\]\.bbox/,
    ],
    [
      'a category that is not there',
      { ...instances, annotations: [box(), box({ category_id: 99 }), box({ category_id: 98 })] },
      /annotations\[1\]\.category_id: 99 is not among/,
    ],
    [
      'an image that is not there',
      { ...instances, annotations: [box(), box({ image_id: 4 })] },
      /annotations\[1\]\.image_id: 4 is not among/,
    ],
    ['an image without a file', { ...instances, images: [{ id: 1, width: 2, height: 3 }] }, /images\[0\]\.file_name/],
    ['a file without categories', { images, annotations: [] }, /: categories: is missing/],
  ])('names the field of %s', async (_, broken, message) => {
    await expect(index(await cocoFiles({ instances: broken }))).rejects.toThrow(message);
  });

  it('names line and column of broken JSON', async () => {
    const files = await cocoFiles({ captions: '{\n "images": [],\n "annotations": [ { "caption": ] }\n' });
    await expect(index(files)).rejects.toThrow(`${files.captions}:3:32: is not valid JSON`);
  });

  it('reports a file that was cut short, even between two tokens', async () => {
    for (const length of [300, 303, 310, JSON.stringify(instances).length - 1]) {
      const files = await cocoFiles({ instances: JSON.stringify(instances).slice(0, length) });
      await expect(index(files)).rejects.toThrow(
        `instances.json:1:${length + 1}: is not valid JSON: it ends too early`,
      );
    }
  });

  it('names a missing or empty file', async () => {
    const files = await cocoFiles({ captions: '' });
    await expect(index({ ...files, instances: '/nowhere.json' })).rejects.toThrow('/nowhere.json: no such file');
    await expect(index(files)).rejects.toThrow(`${files.captions}:1:1: is not valid JSON`);
  });
});

describe('the index', () => {
  it('is built once for the same content, whatever the files are called', async () => {
    const files = await cocoFiles();
    const { cache } = await index(files);
    const [name] = await readdir(cache);
    const built = await stat(join(cache, String(name)));
    await rename(files.instances, join(files.folder, 'other.json'));
    await withCoco({ ...files, instances: join(files.folder, 'other.json') }, cache, async () => undefined);
    expect(await readdir(cache)).toEqual([name]);
    expect((await stat(join(cache, String(name)))).ino).toBe(built.ino);
    await writeFile(files.captions, JSON.stringify({ ...captions, annotations: [] }));
    await withCoco({ ...files, instances: join(files.folder, 'other.json') }, cache, async () => undefined);
    expect(await readdir(cache)).toHaveLength(2);
  });

  it('leaves nothing behind when the files are broken', async () => {
    const files = await cocoFiles({ instances: '{"images": [' });
    await expect(index(files)).rejects.toThrow(/ends too early/);
    expect(await readdir(join(files.folder, 'cache'))).toEqual([]);
  });

  it('may be built by two processes at once, and read by both', async () => {
    const files = await cocoFiles();
    const cache = join(files.folder, 'cache');
    const script = `
      import { withCoco } from ${JSON.stringify(fileURLToPath(new URL('../../src/datasets/coco-index.ts', import.meta.url)))};
      const read = async (coco) => (await coco.read([9])).get(9);
      const { captions } = await withCoco(${JSON.stringify(files)}, ${JSON.stringify(cache)}, read);
      console.log(JSON.stringify(captions));`;
    const run = promisify(execFile);
    const options = ['--import', 'tsx', '--input-type=module', '--eval', script];
    const results = await Promise.all([1, 2].map(() => run(process.execPath, options)));
    for (const { stdout } of results) expect(JSON.parse(stdout)).toEqual(['A dog "at rest".', 'Ein Hund – süß.']);
    expect(await readdir(cache)).toHaveLength(1);
  });
});
