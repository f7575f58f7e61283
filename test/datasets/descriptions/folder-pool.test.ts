import { copyFile, mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { projectFile } from '../../../src/core/files.ts';
import { hashFile } from '../../../src/core/hash.ts';
import { openImage } from '../../../src/core/images/open-image.ts';
import { checkImage } from '../../../src/datasets/check-images.ts';
import type { ImagePool } from '../../../src/datasets/coco.ts';
import { descriptionSource } from '../../../src/datasets/descriptions/index.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const ugly = (name: string) => projectFile(`test/fixtures/ugly-images/${name}`);

/** A folder of images: path → the image of the fixtures, or a color. */
async function poolOf(images: Record<string, string>, facts: readonly object[] = []) {
  const root = await temporaryFolder();
  const folder = join(root, 'images');
  await mkdir(folder);
  for (const [path, source] of Object.entries(images)) await put(join(folder, path), source);
  const file = join(root, 'facts.jsonl');
  await writeFile(file, facts.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const annotations = { instances: join(root, 'absent.json'), captions: join(root, 'absent.json') };
  return { folder, annotations, file, exif: 'apply' as const, cacheDirectory: join(root, 'cache') };
}

async function put(path: string, source: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  if (source.includes('.')) return copyFile(ugly(source), path);
  await sharp({ create: { width: 30, height: 20, channels: 3, background: source } })
    .png()
    .toFile(path);
}

const image = descriptionSource('image');
const facts = descriptionSource('facts');
const idsOf = async (pool: ImagePool) => (await pool.list()).map(({ id }) => id);

it('every image below the folder is in the pool, with its path as its id', async () => {
  const decomposed = 'prüfung/küche 山.png'.normalize('NFD');
  const files = await poolOf({ 'b.png': 'red', 'a/b/c d.PNG': 'green', [decomposed]: 'blue', 'a/1.png': 'white' });
  await writeFile(join(files.folder, 'notes.txt'), 'no image');
  await image.withPool(files, async (pool) => {
    expect(await idsOf(pool)).toEqual(['a/1.png', 'a/b/c d.PNG', 'b.png', decomposed.normalize('NFC')]);
    const [found] = [...(await pool.read([decomposed.normalize('NFC')])).values()];
    expect(found).toMatchObject({ fileName: decomposed, width: 30, height: 20, captions: [], boxes: [] });
    await expect(pool.read(['absent.png'])).rejects.toThrow('Image absent.png is not in');
  });
});

it('of files with the same content the first is taken, and the others are counted', async () => {
  const files = await poolOf({ 'a/copy.png': 'red', 'b.png': 'red', 'c.png': 'red', 'd.png': 'blue' });
  await image.withPool(files, async (pool) => {
    expect(await idsOf(pool)).toEqual(['a/copy.png', 'd.png']);
    expect(pool.leftOut).toEqual({ 'it has the content of another image': 2 });
    expect((await pool.list())[0]?.sha256).toBe(await hashFile(join(files.folder, 'c.png')));
  });
});

it('turned, CMYK, 16-bit, palette and animated images have the size that models see', async () => {
  const names = ['exif6.jpg', 'exif6.png', 'exif6.tif', 'exif6.webp', 'cmyk.jpg', 'cmyk-exif6.jpg', 'gray16.png'];
  const kinds = [...names, 'rgba16.png', 'palette.png', 'palette-exif6.png', 'anim.gif', 'anim.webp', 'anim.png'];
  const files = await poolOf(Object.fromEntries(kinds.map((name) => [`all/${name}`, name])));
  for (const exif of ['apply', 'ignore'] as const) {
    await image.withPool({ ...files, exif }, async (pool) => {
      const read = await pool.read(await idsOf(pool));
      expect(read.size).toBe(kinds.length);
      for (const { fileName, width, height } of read.values()) {
        const seen = await openImage(join(files.folder, fileName), { exif }, (opened) => [opened.width, opened.height]);
        expect([width, height], fileName).toEqual(seen);
      }
    });
  }
});

it.each(['lab.tif', 'empty.jpg', 'cut-q75.jpg'])('%s is refused with a reason when it is checked', async (name) => {
  const files = await poolOf({ 'good.png': 'red', [name]: name });
  await image.withPool(files, async (pool) => expect(await idsOf(pool)).toHaveLength(2));
  await expect(checkImage(join(files.folder, name))).rejects.toMatchObject({
    name: 'InputError',
    file: join(files.folder, name),
  });
});

it('kinds that are not read are refused by name, instead of being passed over', async () => {
  const files = await poolOf({ 'good.png': 'red', 'a/x.bmp': 'x.bmp', 'b/x.avif': 'x.avif' });
  await expect(image.inputs(files)).rejects.toThrow(
    `${join(files.folder, 'a/x.bmp')}: is an image of a kind that is not read, and so are 1 more. Convert it to JPEG`,
  );
});

it('a folder without images, a link to nothing, and a folder named like an image are refused by name', async () => {
  const empty = await poolOf({});
  await expect(image.inputs(empty)).rejects.toThrow(`${empty.folder}: has no images`);
  const broken = await poolOf({ 'a.png': 'red' });
  await symlink(join(broken.folder, 'nothing.png'), join(broken.folder, 'b.png'));
  await expect(image.inputs(broken)).rejects.toThrow(`${join(broken.folder, 'b.png')}: can't be read`);
  await rm(join(broken.folder, 'b.png'));
  await symlink(broken.folder, join(broken.folder, 'c.png'));
  await expect(image.inputs(broken)).rejects.toThrow('c.png: is not a file that holds an image');
});

it('the inputs of steps follow paths and contents, not times', async () => {
  const files = await poolOf({ 'a.png': 'red', 'b.png': 'green' });
  const first = await image.inputs(files);
  await utimes(join(files.folder, 'a.png'), 1, 1);
  expect(await image.inputs(files)).toEqual(first);
  await put(join(files.folder, 'a.png'), 'blue');
  const changed = await image.inputs(files);
  expect(changed).not.toEqual(first);
  await rm(files.cacheDirectory, { recursive: true });
  expect(await image.inputs(files)).toEqual(changed);
  await rm(join(files.folder, 'b.png'));
  expect(await image.inputs(files)).not.toEqual(changed);
});

it('facts of a person describe images, over several lines and for copies too', async () => {
  const box = { category: 'cap', box: [1, 2, 3, 4] };
  const files = await poolOf({ 'a/1.png': 'red', 'a/2.png': 'red', 'b.png': 'green', 'c.png': 'blue' }, [
    { image: 'a/1.png', facts: ['The cap is loose.'] },
    { image: 'a/2', facts: ['The label is torn.'], boxes: [box] },
    { image: 'b.png', boxes: [box] },
    { image: 'c.png' },
  ]);
  await facts.withPool(files, async (pool) => {
    expect(await pool.list()).toMatchObject([
      { id: 'a/1.png', captionCount: 2, boxCount: 1, isDescribed: true },
      { id: 'b.png', captionCount: 0, boxCount: 1, isDescribed: true },
      { id: 'c.png', captionCount: 0, boxCount: 0, isDescribed: false },
    ]);
    const read = await pool.read(['a/1.png']);
    expect(read.get('a/1.png')).toMatchObject({ captions: ['The cap is loose.', 'The label is torn.'], boxes: [box] });
  });
  const before = await facts.inputs(files);
  await writeFile(files.file, `${JSON.stringify({ image: 'b.png', facts: ['All is well.'] })}\n`);
  expect(await facts.inputs(files)).not.toEqual(before);
});

it.each([
  [{ image: 'absent.png' }, 'image: there is no image absent.png'],
  [{ image: '../a.png' }, 'image: leads out of its folder'],
  [{ facts: ['x'] }, 'image: is missing'],
  [{ image: 'a.png', facts: 'x' }, 'facts'],
  [{ image: 'a.png', boxes: [{ category: 'cap', box: [1, 2, 3] }] }, 'boxes[0].box'],
])('facts that do not fit are an error with file and field: %j', async (line, message) => {
  const files = await poolOf({ 'a.png': 'red' }, [line]);
  const reading = facts.withPool(files, (pool) => pool.list());
  await expect(reading).rejects.toThrow(files.file);
  await expect(facts.withPool(files, (pool) => pool.list())).rejects.toThrow(message);
});
