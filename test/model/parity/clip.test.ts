/** CLIP against transformers: `test/fixtures/make-clip-fixture.py` recorded what `CLIPModel` computes. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { clipImageEmbeddings, clipVision } from '../../../src/model/clip-vision.ts';
import { readClipDirectory } from '../../../src/model/files/clip.ts';
import { openSafetensors, writeSafetensors } from '../../../src/model/files/safetensors.ts';
import { Tape } from '../../../src/model/ops/tape.ts';
import { embed } from '../../../src/trainer/jobs/embed/embed.ts';
import { maximumDifference, recordingReporter } from '../../helpers/jobs.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { FIXTURES, readFeed, readFeeds, relativeDifference, run, weightsAmong } from './compare.ts';

const folder = path.join(FIXTURES, 'tiny-clip');

test.each(['eager', 'traced'] as const)('%s: vision and image embeddings give what CLIPModel gives', async (how) => {
  const clip = await readClipDirectory(folder);
  const expected = await openSafetensors(path.join(folder, 'expected.safetensors'));
  const results = run(
    how,
    (ops, inputs) => {
      const weights = weightsAmong(inputs);
      const pixels = inputs.pixels as never;
      const vision = clipVision(new Tape(ops), (name) => weights(`vision_model.${name}`), clip.config, pixels);
      return {
        vision: vision.value,
        embeddings: clipImageEmbeddings(new Tape(ops), weights, clip.config, pixels).value,
      };
    },
    { ...(await readFeeds(clip)), pixels: await readFeed(expected, 'pixel_values') },
  );
  for (const name of ['vision', 'embeddings']) {
    expect(relativeDifference(results[name] as Float32Array, await expected.read(name)), name).toBeLessThan(1e-4);
  }
  await Promise.all([clip.close(), expected.close()]);
});

test('the embed job takes a CLIP directory: vectors of length one, whether its text side is there or not', async () => {
  const visionOnly = path.join(await temporaryFolder(), 'vision-only');
  await mkdir(visionOnly);
  const config = JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8'));
  const preprocessor = await readFile(path.join(folder, 'preprocessor_config.json'));
  await writeFile(path.join(visionOnly, 'preprocessor_config.json'), preprocessor);
  await writeFile(
    path.join(visionOnly, 'config.json'),
    JSON.stringify({ ...config.vision_config, projection_dim: config.projection_dim }),
  );
  const whole = await openSafetensors(path.join(folder, 'model.safetensors'));
  const kept = [...whole.tensors.values()].filter(({ name }) => name.startsWith('vis'));
  await writeSafetensors(
    path.join(visionOnly, 'model.safetensors'),
    kept.map(({ name, shape }) => ({ name, shape: [...shape], data: () => whole.read(name) })),
  );
  const images = ['wide.jpg', 'tall.png'].map((name) => path.join(FIXTURES, 'images', name));
  const [both, alone] = await Promise.all(
    [folder, visionOnly].map(async (model) => {
      const output = path.join(await temporaryFolder(), 'embeddings.safetensors');
      await embed({ model, images, output }, recordingReporter());
      const file = await openSafetensors(output);
      expect(file.tensors.get('embeddings')?.shape).toEqual([2, 12]);
      const values = await file.read('embeddings');
      await file.close();
      return values;
    }),
  );
  await whole.close();
  expect(Math.hypot(...(both as Float32Array).subarray(0, 12))).toBeCloseTo(1, 5);
  expect(maximumDifference(both as Float32Array, alone as Float32Array)).toBeLessThan(1e-6);
});

test('a directory of another kind is refused by name', async () => {
  await expect(readClipDirectory(path.join(FIXTURES, 'tiny-blip2'))).rejects.toMatchObject({
    name: 'InputError',
    field: 'model_type',
  });
});

test('the vision_config_dict of published files is used instead of vision_config, as transformers does', async () => {
  const config = JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8'));
  const copy = await temporaryFolder();
  const vision = config.vision_config;
  const content = { ...config, vision_config: { ...vision, layer_norm_eps: 0.5 }, vision_config_dict: vision };
  await writeFile(path.join(copy, 'config.json'), JSON.stringify(content));
  await writeFile(path.join(copy, 'model.safetensors'), await readFile(path.join(folder, 'model.safetensors')));
  const clip = await readClipDirectory(copy);
  await clip.close();
  expect(clip.config.layer_norm_eps).toBe(1e-5);
});
