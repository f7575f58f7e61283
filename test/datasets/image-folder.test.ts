import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { imageFolder, imagePathsIn } from '../../src/datasets/image-folder.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function folderWith(...names: string[]): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of names) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), '');
  }
  return folder;
}

it('an image has twelve digits, as COCO 2017 names its files, where nothing else is known', async () => {
  expect(await imageFolder('/data/val2017').fileOf(461751)).toBe('/data/val2017/000000461751.jpg');
});

it('the name in the annotations is the file, whatever else is there', async () => {
  const folder = await folderWith('000000000012.jpg');
  const images = imageFolder(folder, async () => new Map([[12, 'first/photo a.png']]));
  expect(await images.fileOf(12)).toBe(join(folder, 'first/photo a.png'));
});

it('otherwise the name that ends with the id, as COCO 2014 names its files', async () => {
  const folder = await folderWith('COCO_val2014_000000000012.jpg', '13.PNG', '14-of-20.jpg', '15.txt');
  const images = imageFolder(folder, async () => new Map([[99, 'other.jpg']]));
  expect(await images.fileOf(12)).toBe(join(folder, 'COCO_val2014_000000000012.jpg'));
  expect(await images.fileOf(13)).toBe(join(folder, '13.PNG'));
  for (const id of [14, 15]) expect(await images.fileOf(id)).toBe(join(folder, `0000000000${id}.jpg`));
});

it('of several, COCO 2017’s; without it, a person has to choose', async () => {
  const folder = await folderWith('000000000001.jpg', 'a_1.jpg', 'a_2.jpg', 'b_2.jpg');
  expect(await imageFolder(folder).fileOf(1)).toBe(join(folder, '000000000001.jpg'));
  await expect(imageFolder(folder).fileOf(2)).rejects.toThrow(
    `${folder}: a_2.jpg and b_2.jpg both may be the image 2. Remove one of them, or name the right one in data.annotations`,
  );
});

it('an id that is a text is the path below the folder, with or without the extension', async () => {
  const folder = await folderWith('line 2/0017.png', 'line 2/0018.v2.jpg', '0017.png');
  const images = imageFolder(folder, async () => new Map([['named', 'elsewhere.png']]));
  expect(await images.fileOf('line 2/0017.png')).toBe(join(folder, 'line 2/0017.png'));
  expect(await images.fileOf('line 2/0017')).toBe(join(folder, 'line 2/0017.png'));
  expect(await images.fileOf('line 2/0018.v2')).toBe(join(folder, 'line 2/0018.v2.jpg'));
  expect(await images.fileOf('0017')).toBe(join(folder, '0017.png'));
  expect(await images.fileOf('named')).toBe(join(folder, 'elsewhere.png'));
  expect(await images.fileOf('line 2/absent.png')).toBe(join(folder, 'line 2/absent.png'));
});

it('Unicode names are found whichever way their letters are written', async () => {
  const [composed, decomposed] = ['prüfung/küche 山.png'.normalize('NFC'), 'prüfung/küche 山.png'.normalize('NFD')];
  const folder = await folderWith(decomposed);
  for (const id of [composed, decomposed]) expect(await imageFolder(folder).fileOf(id)).toBe(join(folder, decomposed));
});

it('a text that two files may be is refused, and one that leads out of the folder', async () => {
  const folder = await folderWith('a/1.png', 'a/1.jpg');
  expect(await imageFolder(folder).fileOf('a/1.jpg')).toBe(join(folder, 'a/1.jpg'));
  await expect(imageFolder(folder).fileOf('a/1')).rejects.toThrow(
    `${folder}: a/1.jpg and a/1.png both may be the image a/1. Remove one of them, or give the image by its path`,
  );
  await expect(imageFolder(folder).fileOf('../a.png')).rejects.toThrow('leads out of its folder');
});

it('lists the images of all folders below, without hidden files', async () => {
  const folder = await folderWith('b.png', 'a/ü.JPG', 'a/b/c.tiff', '._b.png', '.cache/x.png', 'notes.txt');
  expect(await imagePathsIn(folder)).toEqual(['a/b/c.tiff', 'a/ü.JPG', 'b.png']);
  expect(await imagePathsIn(join(folder, 'absent'))).toEqual([]);
});
