/**
 * CLIP ViT-B/32, which the reference system finds near images with, against transformers: random weights of its config,
 * made by the formulas of `test/fixtures/make-clip-vit-b32-fixture.py`, which recorded what `CLIPModel` computes.
 */
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readJson } from '../../../src/core/read-json.ts';
import { writeJson } from '../../../src/core/write-file.ts';
import { clipVisionSchema, clipVisionTensors } from '../../../src/model/files/clip.ts';
import { openSafetensors, writeSafetensors } from '../../../src/model/files/safetensors.ts';
import { nearestInPool } from '../../../src/round/sample/nearest-in-pool.ts';
import { embed } from '../../../src/trainer/jobs/embed/embed.ts';
import { maximumDifference, recordingReporter } from '../../helpers/jobs.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { FIXTURES } from './compare.ts';

const fixture = path.join(FIXTURES, 'clip-vit-b32');
const imageCount = 12;
const width = 512;

function weightsByFormula(name: string, shape: readonly number[]): Float32Array {
  const count = shape.reduce((product, size) => product * size, 1);
  const start = [...name].reduce((sum, letter, place) => sum + (place + 1) * letter.charCodeAt(0), 0);
  const isNorm = name.includes('norm') && name.endsWith('weight');
  const scale = shape.length > 1 ? Math.sqrt((3 * (shape[0] as number)) / count) : 0.1;
  const values = new Float32Array(count);
  for (let index = 0; index < count; index += 1) {
    let x = (Math.imul(index, 2654435761) + start * 40503) >>> 0;
    x ^= x >>> 16;
    x = Math.imul(x, 0x45d9f3b);
    x = (x ^ (x >>> 16)) >>> 0;
    values[index] = (x / 2 ** 31 - 1) * scale + (isNorm ? 1 : 0);
  }
  return values;
}

async function drawImage(number: number, file: string): Promise<void> {
  const [columns, rows] = [300 - 9 * number, 200 + 11 * number];
  const pixels = Buffer.alloc(columns * rows * 3);
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) {
      const red = x * (number + 1) + y * 3;
      const green = (x >> 3) * (number + 2) * 17 + (y >> 4) * 29;
      const blue = (x ^ y) * (number + 3);
      pixels.set([red & 255, green & 255, blue & 255], 3 * (y * columns + x));
    }
  }
  await sharp(pixels, { raw: { width: columns, height: rows, channels: 3 } })
    .png()
    .toFile(file);
}

async function writeModel(folder: string): Promise<void> {
  const config = await readJson(
    path.join(fixture, 'config.json'),
    z.looseObject({ vision_config: clipVisionSchema, projection_dim: z.number() }),
  );
  const vision = config.vision_config;
  const shapes: [string, number[]][] = [
    ...clipVisionTensors(vision).map(([name, shape]): [string, number[]] => [`vision_model.${name}`, [...shape]]),
    ['visual_projection.weight', [config.projection_dim, vision.hidden_size]],
  ];
  await writeJson(path.join(folder, 'config.json'), config);
  await copyFile(path.join(fixture, 'preprocessor_config.json'), path.join(folder, 'preprocessor_config.json'));
  await writeSafetensors(
    path.join(folder, 'model.safetensors'),
    shapes.map(([name, shape]) => ({ name, shape, data: async () => weightsByFormula(name, shape) })),
  );
}

test('embeddings and nearest images are those of transformers and torch', async () => {
  const folder = await temporaryFolder();
  await writeModel(folder);
  const images = Array.from({ length: imageCount }, (_, number) => path.join(folder, `${number}.png`));
  await Promise.all(images.map((file, number) => drawImage(number, file)));
  const output = path.join(folder, 'embeddings.safetensors');
  await embed({ model: folder, images, output }, recordingReporter());

  const [computed, recorded] = [
    await openSafetensors(output),
    await openSafetensors(path.join(fixture, 'expected.safetensors')),
  ];
  const embeddings = await computed.read('embeddings');
  const expected = await recorded.read('embeddings');
  const nearest = [...(await recorded.read('nearest'))];
  await Promise.all([computed.close(), recorded.close()]);
  expect(embeddings).toHaveLength(imageCount * width);
  expect(maximumDifference(embeddings, expected)).toBeLessThan(1e-5);

  // The first image is a bad case's, the others the pool.
  const ids = Array.from({ length: imageCount }, (_, number) => number);
  const rows = Float32Array.from([...embeddings.subarray(width), ...embeddings.subarray(0, width)]);
  const found = await nearestInPool({ embeddings: rows, width, pool: ids.slice(1), others: [0] }, [0], imageCount);
  expect(found.get(0)).toEqual(nearest);
});
