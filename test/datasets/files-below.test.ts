/** What counts as below a folder, where there are links. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { filesBelow } from '../../src/datasets/files-below.ts';
import { imagePathsIn } from '../../src/datasets/image-folder.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function folderWith(...paths: string[]): Promise<string> {
  const folder = join(await temporaryFolder(), 'images');
  for (const path of paths) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), path);
  }
  return folder;
}

test('links to folders are followed, links to files are files', async () => {
  const folder = await folderWith('a.jpg', '../elsewhere/in/b.jpg', '../elsewhere/c.png');
  await symlink('../elsewhere', join(folder, 'linked'));
  await symlink('a.jpg', join(folder, 'copy.jpg'));
  expect(await imagePathsIn(folder)).toEqual(['a.jpg', 'copy.jpg', 'linked/c.png', 'linked/in/b.jpg']);
});

test('each folder is listed once, by its path without links where it has one', async () => {
  const folder = await folderWith('z/a.jpg', 'z/y/b.jpg');
  await symlink('.', join(folder, 'self'));
  await symlink('..', join(folder, 'z', 'up'));
  await symlink('z', join(folder, 'again'));
  await symlink('nowhere', join(folder, 'broken'));
  expect(await imagePathsIn(folder)).toEqual(['z/a.jpg', 'z/y/b.jpg']);
});

test('hidden files and folders are none, nor folders that are left out', async () => {
  const folder = await folderWith('a.jpg', '._a.jpg', '.cache/b.jpg', 'runs/c.jpg');
  const paths = await filesBelow(folder, { isWanted: () => true, isOther: (name) => name === 'runs' });
  expect(paths).toEqual(['a.jpg']);
});

test('a folder with too many folders, a file and a missing folder are named', async () => {
  const folder = await folderWith('a/1.jpg', 'b/2.jpg');
  const isWanted = () => true;
  await expect(filesBelow(folder, { isWanted, mostFolders: 2 })).rejects.toThrow(/images: has more than 2 folders/);
  await expect(filesBelow(join(folder, 'a', '1.jpg'), { isWanted })).rejects.toThrow(/1\.jpg: is a file, not a folder/);
  await expect(filesBelow(join(folder, 'c'), { isWanted })).rejects.toThrow(/c: no such folder/);
  expect(await imagePathsIn(join(folder, 'c'))).toEqual([]);
});
