/**
 * Files from outside: what they may not do.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { openImage } from '../../src/core/images/open-image.ts';
import { InputError } from '../../src/core/input-error.ts';
import { innerPath } from '../../src/core/inside.ts';
import { readAokvqa } from '../../src/datasets/aokvqa.ts';
import { readCcSbuAlign } from '../../src/datasets/cc-sbu-align.ts';
import { checkImage } from '../../src/datasets/check-images.ts';
import { readQuestionTypes } from '../../src/generation/question-types.ts';
import { openSafetensors } from '../../src/model/files/safetensors.ts';
import { inlineImage } from '../../src/report/inline-image.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, content);
  return path;
}

const decode = (path: string) => openImage(path, {}, ({ data }) => data.length);

describe('an image', () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="/etc/passwd"/></svg>';
  const zip = Buffer.from('PK\x03\x04 an archive', 'latin1');

  test.each([
    ['an SVG', svg],
    ['an archive', zip],
    ['a program', '#!/bin/sh\necho'],
    ['nothing', ''],
  ])('that is %s and calls itself a JPEG is refused everywhere', async (_, content) => {
    const path = await file('photo.jpg', content);
    await expect(checkImage(path)).rejects.toThrow(`${path}: is cut short or not an image: it is no JPEG`);
    await expect(decode(path)).rejects.toThrow(`${path}: is cut short or not an image`);
    expect(await inlineImage(path)).toContain('class="no-image"');
  });

  test('that claims an absurd size is rejected before it is decoded', async () => {
    const honest = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
      .png({ compressionLevel: 0 })
      .toBuffer();
    honest.writeUInt32BE(60_000, 16);
    honest.writeUInt32BE(60_000, 20);
    const path = await file('huge.png', honest);
    await expect(decode(path)).rejects.toBeInstanceOf(InputError);
    await expect(checkImage(path)).rejects.toBeInstanceOf(InputError);
  });
});

describe('a name in a dataset', () => {
  test('stays in its folder', () => {
    for (const name of ['a.jpg', 'train2017/a.jpg', 'a..b.jpg']) expect(innerPath.safeParse(name).success).toBe(true);
    for (const name of ['../a.jpg', 'a/../../b', '/etc/passwd', 'C:\\a.jpg', '..\\a.jpg', 'a\0.jpg', ''])
      expect(innerPath.safeParse(name).success).toBe(false);
  });

  test('that leads elsewhere is rejected with its place', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'image'));
    const annotations = [{ image_id: '../../secret', caption: 'a cat' }];
    await writeFile(join(folder, 'filter_cap.json'), JSON.stringify({ annotations }));
    await expect(readCcSbuAlign(folder)).rejects.toThrow(/annotations\[0\]\.image_id/);
  });
});

describe('a YAML file', () => {
  test('with a tag is rejected, with its line', async () => {
    const path = await file('config.yaml', 'run: x\nmodel: !!js/function "function () {}"\n');
    await expect(loadConfig(path)).rejects.toThrow(/config\.yaml:2:\d+: .*[Tt]ag.*Write the value without a tag/);
    const types = await file('types.yaml', '- name: !new x\n  title: X\n  explanation: x\n');
    await expect(readQuestionTypes(types)).rejects.toThrow('Write the value without a tag');
  });

  test('whose aliases multiply is rejected at once', async () => {
    const layers = Array.from({ length: 12 }, (_, depth) => {
      const items = Array.from({ length: 10 }, () => (depth === 0 ? 'x' : `*l${depth - 1}`));
      return `l${depth}: &l${depth} [${items.join(', ')}]`;
    });
    const path = await file('bomb.yaml', layers.join('\n'));
    await expect(loadConfig(path)).rejects.toThrow(/bomb\.yaml: aliases \(\*name\) repeat too much/);
  });
});

test('a config with a key that all objects have is rejected by its name', async () => {
  for (const key of ['__proto__', 'constructor', 'toString']) {
    const path = await file('config.yaml', `run: x\n"${key}": { polluted: true }\n`);
    await expect(loadConfig(path)).rejects.toThrow(new RegExp(`config\\.yaml:2: ${key}: `));
  }
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test.each([
  ['lists', '['.repeat(200_000)],
  ['objects', '{"a":'.repeat(200_000)],
])('a JSON file of a great many nested %s is rejected', async (_, content) => {
  await expect(readAokvqa(await file('questions.json', content))).rejects.toThrow(
    /questions\.json:1:\d+: is nested deeper than 200 levels\./,
  );
});

describe('a safetensors file', () => {
  const safetensors = (header: string, data = 4, length = BigInt(Buffer.byteLength(header))) => {
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(length);
    return Buffer.concat([size, Buffer.from(header), Buffer.alloc(data)]);
  };

  test.each([
    ['claims a header larger than itself', safetensors('{}', 0, 2n ** 62n)],
    ['claims a negative header', safetensors('{}', 0, 2n ** 64n - 1n)],
    ['has offsets outside', safetensors('{"w":{"dtype":"F32","shape":[1],"data_offsets":[400,404]}}')],
    ['has offsets the wrong way round', safetensors('{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}')],
    ['has a negative shape', safetensors('{"w":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}')],
    [
      'has a shape that overflows',
      safetensors('{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}'),
    ],
    [
      'has tensors over one another',
      safetensors(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
      ),
    ],
  ])('that %s is refused', async (_, content) => {
    await expect(openSafetensors(await file('model.safetensors', content))).rejects.toBeInstanceOf(InputError);
  });
});
