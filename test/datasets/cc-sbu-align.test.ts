import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readCcSbuAlign } from '../../src/datasets/cc-sbu-align.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function folderWith(content: unknown): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'filter_cap.json'), JSON.stringify(content));
  return folder;
}

it('reads pairs of image and description; ids may be texts or numbers', async () => {
  const folder = await folderWith({
    annotations: [
      { image_id: '2', caption: 'A view.' },
      { image_id: 7, caption: 'A cat.' },
    ],
  });
  expect(await readCcSbuAlign(folder)).toEqual([
    { imageId: '2', caption: 'A view.', image: join(folder, 'image', '2.jpg') },
    { imageId: '7', caption: 'A cat.', image: join(folder, 'image', '7.jpg') },
  ]);
});

it('names the field that is wrong', async () => {
  await expect(readCcSbuAlign(await folderWith({ annotations: [{ image_id: '2' }] }))).rejects.toThrow(
    /annotations\[0\]\.caption/,
  );
  await expect(readCcSbuAlign(await folderWith({ annotations: [{ image_id: '../2', caption: '' }] }))).rejects.toThrow(
    /annotations\[0\]\.image_id/,
  );
});

it('names the file that is missing', async () => {
  const folder = await temporaryFolder();
  await expect(readCcSbuAlign(folder)).rejects.toThrow(`${join(folder, 'filter_cap.json')}: no such file`);
});
