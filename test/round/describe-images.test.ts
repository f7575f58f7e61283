import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { runStepCommand } from '../../cli/step-commands.ts';
import { withPool } from '../../src/round/dataset-paths.ts';
import { describeImages } from '../../src/round/describe-images.ts';
import { readLedger } from '../../src/teacher/ledger.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { completionOf, type FaultyReply, faultyServer, type Received } from '../teacher/faulty-server.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

const described = (color: string) =>
  JSON.stringify({ facts: [`All of it is ${color}.`], boxes: [{ category: 'wall', box: [0, 0.5, 1, 1] }] });

async function setUp(reply: (received: Received) => FaultyReply, descriptions: object) {
  const folder = await temporaryFolder();
  const { received, baseUrl } = await faultyServer(reply);
  const file = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    data: { ...tiny.data, images: { ...tiny.data.images, train: 'photos' }, descriptions },
    teacher: { ...tiny.teacher, baseUrl, concurrency: 1 },
  }));
  const photos = join(folder, 'data/photos/a');
  await mkdir(photos, { recursive: true });
  const colors = { '1.png': 'red', '2.png': 'green', 'copy of 1.png': 'red' };
  for (const [name, background] of Object.entries(colors)) {
    await sharp({ create: { width: 40, height: 20, channels: 3, background } })
      .png()
      .toFile(join(photos, name));
  }
  return { context: await tinyContext(file), config: file, received, facts: join(folder, 'data/facts.jsonl') };
}
const facts = { source: 'facts', file: 'facts.jsonl' };

test('each content is described once, from the image, and the pool has what was written', async () => {
  const {
    context,
    received,
    facts: file,
  } = await setUp(
    ({ number }) => ({ body: completionOf(number === 0 ? 'I see red.' : described(`color ${number}`)) }),
    facts,
  );
  expect(await describeImages(context)).toMatchObject({ described: 1, known: 0, unreadable: 1 });
  expect(received).toHaveLength(2);
  expect(JSON.stringify(received[0]?.body)).toContain('data:image/png;base64,');
  // An answer that can't be read is requested again, and nothing else.
  expect(await describeImages(context)).toMatchObject({ described: 1, known: 1, unreadable: 0 });
  expect(await describeImages(context)).toMatchObject({ described: 0, known: 2, unreadable: 0 });
  expect(received).toHaveLength(3);
  expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(2);
  const [first] = (await withPool(context.config, (pool) => pool.read(['a/1.png']))).values();
  expect(first).toMatchObject({
    captions: ['All of it is color 2.'],
    boxes: [{ category: 'wall', box: [0, 10, 40, 10] }],
  });
  expect((await readLedger(context.run.root)).calls).toBe(3);
});

test('lines of a person stay, and their images are not asked about', async () => {
  const { context, received, facts: file } = await setUp(() => ({ body: completionOf(described('blue')) }), facts);
  const own = `${JSON.stringify({ image: 'a/2.png', facts: ['It is my wall.'] })}\n`;
  await writeFile(file, own);
  expect(await describeImages(context)).toMatchObject({ described: 1, known: 1 });
  expect(received).toHaveLength(1);
  expect(await readFile(file, 'utf8')).toMatch(own);
});

test('another source than facts is refused by name', async () => {
  const { context, received } = await setUp(() => ({ body: completionOf(described('blue')) }), { source: 'image' });
  await expect(describeImages(context)).rejects.toThrow('data.descriptions.source: is image');
  expect(received).toHaveLength(0);
});

test('the command describes the images of a config', async () => {
  const { config, received } = await setUp(() => ({ body: completionOf(described('blue')) }), facts);
  const load = async () => describeImages;
  await runStepCommand('describe-images', load, { config, round: 0 }, new AbortController().signal);
  expect(received).toHaveLength(2);
});
