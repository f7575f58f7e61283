import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QUESTION_TYPES } from '../../../demo/scenes/questions.ts';
import { writeSceneDataset } from '../../../demo/scenes/write-dataset.ts';
import { hashFile, hashValue } from '../../../src/core/hash.ts';
import { readAokvqa } from '../../../src/datasets/aokvqa.ts';
import { readCcSbuAlign } from '../../../src/datasets/cc-sbu-align.ts';
import { checkImage } from '../../../src/datasets/check-images.ts';
import { allAnnotations } from '../../datasets/all-annotations.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { noTinyDisk, tinyDisk } from '../../helpers/tiny-disk.ts';

const options = { seed: 3, trainImages: 120, validationImages: 60, testImages: 30, alignmentImages: 20 };

/** Content hashes by path relative to the folder. */
async function contents(root: string): Promise<Record<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const hashes = await Promise.all(
    files.map(async (file) => [file.slice(root.length + 1), await hashFile(file)] as const),
  );
  return Object.fromEntries(hashes.sort());
}

function countTypes(questions: readonly { question_type?: string }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { question_type = 'none' } of questions) counts.set(question_type, (counts.get(question_type) ?? 0) + 1);
  return counts;
}

describe('writeSceneDataset', () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'dataengine-scenes-'));
    await writeSceneDataset({ root, ...options });
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  const annotations = (split: string) => ({
    instances: join(root, `COCO2017/annotations/instances_${split}2017.json`),
    captions: join(root, `COCO2017/annotations/captions_${split}2017.json`),
  });

  it.each([
    ['train', 120],
    ['val', 60],
    ['test', 30],
  ])('writes %s as COCO has it: readable images, boxes and five captions each', async (split, count) => {
    const images = await allAnnotations(annotations(split));
    expect(images).toHaveLength(count);
    for (const { id, fileName, width, height, captions, boxes } of images) {
      expect(fileName).toBe(`${String(id).padStart(12, '0')}.jpg`);
      expect([width, height]).toEqual([160, 160]);
      expect(captions).toHaveLength(5);
      expect(boxes.length).toBeGreaterThanOrEqual(2);
      await checkImage(join(root, `COCO2017/${split}2017`, fileName));
    }
  });

  it('shares no image between splits', async () => {
    const hashes = Object.entries(await contents(root)).filter(([file]) => file.endsWith('.jpg'));
    expect(hashes).toHaveLength(120 + 60 + 30 + 20);
    expect(new Set(hashes.map(([, hash]) => hash)).size).toBe(hashes.length);
  });

  it('balances the types of validation and test questions', async () => {
    for (const split of ['val', 'test']) {
      const counts = countTypes(await readAokvqa(join(root, `A-OKVQA/aokvqa_v1p0_${split}_classified.json`)));
      expect([...counts.keys()].sort()).toEqual([...QUESTION_TYPES].sort());
      expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(3);
    }
  });

  it('writes the same questions without types, as A-OKVQA has them', async () => {
    const classified = await readAokvqa(join(root, 'A-OKVQA/aokvqa_v1p0_val_classified.json'));
    const official = await readAokvqa(join(root, 'A-OKVQA/aokvqa_v1p0_val.json'));
    expect(official).toEqual(classified.map(({ question_type: _, ...rest }) => rest));
    expect(Object.keys(official[0] ?? {})).toEqual([
      'split',
      'image_id',
      'question_id',
      'question',
      'choices',
      'correct_choice_idx',
      'direct_answers',
      'difficult_direct_answer',
      'rationales',
    ]);
  });

  it('skews the base questions to three types, about a part of the train images', async () => {
    const questions = await readAokvqa(join(root, 'A-OKVQA/aokvqa_v1p0_train.json'));
    const counts = countTypes(questions);
    const rich = ['identity_reasoning', 'attribute_recognition', 'image_scene'].map((type) => counts.get(type) ?? 0);
    expect(rich.reduce((sum, count) => sum + count) / questions.length).toBeGreaterThan(0.8);
    const train = (await allAnnotations(annotations('train'))).map(({ id }) => id);
    const asked = new Set(questions.map(({ image_id }) => image_id));
    expect(asked.size).toBe(48);
    for (const id of asked) expect(train).toContain(id);
  });

  it('pairs the images of cc_sbu_align with descriptions', async () => {
    const pairs = await readCcSbuAlign(join(root, 'cc_sbu_align'));
    expect(pairs).toHaveLength(20);
    for (const { image, caption } of pairs) {
      await checkImage(image);
      expect(caption).toMatch(/the picture is (sharp|blurry|dark|noisy)\.$/);
    }
  });

  it('gives the same bytes for the same options, and other images for another seed', async () => {
    const again = join(await temporaryFolder(), 'data');
    await writeSceneDataset({ root: again, ...options });
    expect(hashValue(await contents(again))).toBe(hashValue(await contents(root)));

    const other = join(await temporaryFolder(), 'data');
    await writeSceneDataset({ root: other, ...options, seed: 4 });
    const images = new Set(Object.values(await contents(root)));
    expect(
      Object.entries(await contents(other)).filter(([file, hash]) => file.endsWith('.jpg') && images.has(hash)),
    ).toEqual([]);
  });

  it('keeps a complete root, and writes one again whose manifest is missing', async () => {
    const before = await contents(root);
    const image = join(root, Object.keys(before).find((file) => file.endsWith('.jpg')) as string);
    expect(await writeSceneDataset({ root, ...options })).toMatchObject({
      skipped: true,
      counts: { trainImages: 120 },
    });

    // An interrupted writer leaves a part of the files and no manifest.
    await rm(join(root, 'scenes-manifest.json'));
    await writeFile(image, 'half a picture');
    expect(await writeSceneDataset({ root, ...options })).toMatchObject({ skipped: false });
    expect(await contents(root)).toEqual(before);
  });

  it('stops when aborted, and leaves nothing that looks complete', async () => {
    const stopped = join(await temporaryFolder(), 'data');
    const controller = new AbortController();
    const onProgress = (done: number) => done === 10 && controller.abort();
    await expect(
      writeSceneDataset({ root: stopped, ...options, signal: controller.signal, onProgress }),
    ).rejects.toThrow(/abort/i);
    expect(existsSync(join(stopped, 'scenes-manifest.json'))).toBe(false);
  });

  it('names the file that did not fit on a full disk, and writes no manifest', async (context) => {
    const disk = tinyDisk(256 * 1024) ?? context.skip(noTinyDisk);
    await expect(writeSceneDataset({ root: disk, ...options })).rejects.toThrow(/\.jpg: the disk is full/);
    expect(existsSync(join(disk, 'scenes-manifest.json'))).toBe(false);
  });

  it('rejects a folder with other data', async () => {
    const real = join(await temporaryFolder(), 'data');
    await mkdir(join(real, 'COCO2017'), { recursive: true });
    await writeFile(join(real, 'COCO2017/photo.jpg'), 'a photo');
    await expect(writeSceneDataset({ root: real, ...options })).rejects.toThrow(
      /COCO2017: is there already .* data\.root/,
    );
    expect(await readFile(join(real, 'COCO2017/photo.jpg'), 'utf8')).toBe('a photo');
  });
});
