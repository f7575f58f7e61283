import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { renderScene } from '../../demo/scenes/render.ts';
import { randomScene } from '../../demo/scenes/scene.ts';
import { InputError } from '../../src/core/input-error.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { checkImage } from '../../src/datasets/check-images.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const image = () => renderScene(randomScene(seededRandom('check')));

async function imageFile(bytes: Uint8Array): Promise<string> {
  const file = join(await temporaryFolder(), '000000000001.jpg');
  await writeFile(file, bytes);
  return file;
}

it('takes a whole image', async () => {
  await checkImage(await imageFile(await image()));
});

it.each([0.99, 0.5, 0.1, 0])('names an image of which only the first %d part is there', async (share) => {
  const bytes = await image();
  const file = await imageFile(bytes.subarray(0, Math.floor(bytes.length * share)));
  const error = await checkImage(file).catch((error: unknown) => error as InputError);
  expect(error).toBeInstanceOf(InputError);
  expect(error).toMatchObject({ file, problem: expect.stringMatching(/^is cut short or not an image/) });
});

it('names a file that is no image', async () => {
  await expect(checkImage(await imageFile(Buffer.from('hello')))).rejects.toThrow(/is cut short or not an image/);
});

it('measures an image as a model sees it: upright, unless its orientation is ignored', async () => {
  const turned = fileURLToPath(new URL('../fixtures/ugly-images/exif6.jpg', import.meta.url));
  expect(await checkImage(turned)).toEqual({ width: 21, height: 30 });
  expect(await checkImage(turned, { exif: 'ignore' })).toEqual({ width: 30, height: 21 });
});

it('names a missing image, and a folder', async () => {
  const folder = await temporaryFolder();
  await expect(checkImage(join(folder, 'none.jpg'))).rejects.toThrow(`${join(folder, 'none.jpg')}: no such image`);
  await expect(checkImage(folder)).rejects.toThrow(`${folder}: is not a file that holds an image`);
});
