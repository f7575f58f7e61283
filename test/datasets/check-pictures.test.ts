import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { renderScene } from '../../demo/scenes/render.ts';
import { randomScene } from '../../demo/scenes/scene.ts';
import { InputError } from '../../src/core/input-error.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { checkPicture } from '../../src/datasets/check-pictures.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const picture = () => renderScene(randomScene(seededRandom('check')));

async function pictureFile(bytes: Uint8Array): Promise<string> {
  const file = join(await temporaryFolder(), '000000000001.jpg');
  await writeFile(file, bytes);
  return file;
}

it('takes a whole picture', async () => {
  await checkPicture(await pictureFile(await picture()));
});

it.each([0.99, 0.5, 0.1, 0])('names a picture of which only the first %d part is there', async (share) => {
  const bytes = await picture();
  const file = await pictureFile(bytes.subarray(0, Math.floor(bytes.length * share)));
  const error = await checkPicture(file).catch((error: unknown) => error as InputError);
  expect(error).toBeInstanceOf(InputError);
  expect(error).toMatchObject({ file, problem: expect.stringMatching(/^is cut short or not a picture/) });
});

it('names a file that is no picture', async () => {
  await expect(checkPicture(await pictureFile(Buffer.from('hello')))).rejects.toThrow(/is cut short or not a picture/);
});

it('names a missing picture, and a folder', async () => {
  const folder = await temporaryFolder();
  await expect(checkPicture(join(folder, 'none.jpg'))).rejects.toThrow(`${join(folder, 'none.jpg')}: no such picture`);
  await expect(checkPicture(folder)).rejects.toThrow(`${folder}: is not a file`);
});
