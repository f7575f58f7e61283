import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function folderWith(...names: string[]): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of names) await writeFile(join(folder, name), '');
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
