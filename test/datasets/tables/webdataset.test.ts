/** WebDataset's archives, written by another program's library for tar. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { expect, test } from 'vitest';
import { conversations } from '../../../src/datasets/conversations.ts';
import { imageFolder } from '../../../src/datasets/image-folder.ts';
import { formatOf, tableRows } from '../../../src/datasets/tables/index.ts';
import { hashTable } from '../../../src/datasets/tables/shards.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

type Members = readonly (readonly [name: string, content: string])[];

async function writeTar(file: string, members: Members): Promise<string> {
  const archive = pack();
  for (const [name, content] of members) archive.entry({ name }, content);
  archive.finalize();
  await writeFile(file, await buffer(archive));
  return file;
}

async function read(file: string) {
  const rows: Record<string, unknown>[] = [];
  for await (const { values, place } of tableRows(file)) {
    const texts = [...values].map(([name, value]) => [name, value instanceof Uint8Array ? String(value) : value]);
    rows.push({ ...Object.fromEntries(texts), at: place.field });
  }
  return rows;
}

test('members of one name are a row, with the fields of its JSON', async () => {
  const file = await writeTar(join(await temporaryFolder(), 'a.tar'), [
    ['./a/0001.jpg', 'pixels 1'],
    ['./a/0001.json', '{"question":"What?","answer":"cat"}'],
    ['b/0001.json', '{"id":"own","question":"Who?","answer":"dog"}'],
    ['b/0001.PNG', 'pixels 2'],
    ['b/0002.seg.txt', ' words \n'],
    ['b/0002.txt', ' caption \n'],
  ]);
  expect(await formatOf(file)).toBe('webdataset');
  expect(await read(file)).toEqual([
    { id: 'a/0001', image: 'pixels 1', question: 'What?', answer: 'cat', at: '[a/0001]' },
    { id: 'own', image: 'pixels 2', question: 'Who?', answer: 'dog', at: '[b/0001]' },
    { id: 'b/0002', 'seg.txt': ' words \n', txt: 'caption', at: '[b/0002]' },
  ]);
});

test('a folder of archives is read in the order of their names, and has one hash', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'train'));
  for (const index of [1, 0])
    await writeTar(join(folder, 'train', `00${index}.tar`), [[`${index}.json`, `{"n":${index}}`]]);
  expect(await read(folder)).toEqual([
    { id: '0', n: 0, at: '[0]' },
    { id: '1', n: 1, at: '[1]' },
  ]);
  const before = await hashTable(folder);
  await writeTar(join(folder, 'train', '001.tar'), [['1.json', '{"n":2}']]);
  expect(await hashTable(folder)).not.toBe(before);
});

test('conversations with their images train from an archive', async () => {
  const folder = await temporaryFolder();
  const turns = [
    { from: 'human', value: '<image>What?' },
    { from: 'gpt', value: 'A cat.' },
  ];
  const path = await writeTar(join(folder, 'a.tar'), [
    ['7.jpg', 'pixels'],
    ['7.json', JSON.stringify({ conversations: turns })],
  ]);
  const records = [];
  const extractedImages = join(folder, 'images');
  for await (const record of conversations.read({ name: 'x', path, images: imageFolder('/'), extractedImages })) {
    records.push(record);
  }
  expect(records).toMatchObject([{ id: '7', question: 'What?', answer: 'A cat.' }]);
  expect(records[0]?.image).toContain(extractedImages);
});

test.each([
  ['JSON that is none', [['a.json', '{']], /a\.tar\/a\.json:1:2: is not valid JSON/],
  [
    'two images in a row',
    [
      ['a.jpg', 'x'],
      ['a.png', 'y'],
    ],
    /a\.tar: a\.png: is a second image of its row/,
  ],
] as const)('%s is named', async (_, members, message) => {
  const file = await writeTar(join(await temporaryFolder(), 'a.tar'), members);
  await expect(read(file)).rejects.toMatchObject({ name: 'InputError', message: expect.stringMatching(message) });
});

test('an archive that is cut short is named', async () => {
  const file = join(await temporaryFolder(), 'a.tar');
  const archive = pack();
  archive.entry({ name: 'a.jpg' }, 'x'.repeat(5000));
  archive.finalize();
  await writeFile(file, (await buffer(archive)).subarray(0, 3000));
  await expect(read(file)).rejects.toMatchObject({ name: 'InputError', message: expect.stringMatching(/cut short/) });
});
