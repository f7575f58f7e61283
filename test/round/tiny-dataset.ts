/**
 * A data root in the official layout with a handful of plain images: enough for every step to have work.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

const colors = ['red', 'green', 'blue', 'yellow'] as const;
const things = [
  { id: 17, name: 'cat' },
  { id: 3, name: 'car' },
  { id: 18, name: 'dog' },
] as const;

const firstImageId = { train: 1, val: 1001, test: 2001 } as const;
type SplitName = keyof typeof firstImageId;

// No image of a split is a copy of another split's.
const heightOf = { train: 24, val: 25, test: 26 } as const;

/** Writes the data root. `train` images are the pool as well. */
export async function writeTinyDataset(
  root: string,
  counts: Record<SplitName, number> = { train: 24, val: 8, test: 4 },
  nameOf: (split: SplitName, id: number) => string = (_, id) => imageName(id),
): Promise<void> {
  for (const split of ['train', 'val', 'test'] as const) {
    const ids = Array.from({ length: counts[split] }, (_, index) => firstImageId[split] + index);
    for (const id of ids)
      await writeImage(join(root, 'COCO2017', `${split}2017`, nameOf(split, id)), id, heightOf[split]);
    await writeJsonFile(
      join(root, 'A-OKVQA', `aokvqa_v1p0_${split}.json`),
      ids.map((id) => question(split, id)),
    );
    if (split === 'train')
      await writeAnnotations(join(root, 'COCO2017', 'annotations'), ids, (id) => nameOf('train', id));
  }
  const captioned = [1, 2, 3, 4];
  for (const id of captioned) await writeImage(join(root, 'cc_sbu_align', 'image', `${id}.jpg`), id);
  const annotations = captioned.map((id) => ({ image_id: String(id), caption: captionOf(id) }));
  await writeJsonFile(join(root, 'cc_sbu_align', 'filter_cap.json'), { annotations });
}

/** `000000000017.jpg` */
export function imageName(id: number): string {
  return `${String(id).padStart(12, '0')}.jpg`;
}

function captionOf(id: number): string {
  return `a large ${colorOf(id)} ${thingOf(id).name} in a park`;
}

function question(split: SplitName, id: number): object {
  return {
    split,
    image_id: id,
    question_id: `${split}-${id}`,
    question: 'What color is the image?',
    choices: colors,
    correct_choice_idx: colors.indexOf(colorOf(id)),
    direct_answers: Array.from({ length: 10 }, () => colorOf(id)),
    difficult_direct_answer: false,
    rationales: ['One sees it.', 'The whole image has that color.', 'It is plain.'],
    question_type: id % 2 === 0 ? 'attribute_recognition' : 'image_scene',
  };
}

async function writeAnnotations(folder: string, ids: number[], nameOf: (id: number) => string): Promise<void> {
  const images = ids.map((id) => ({ id, file_name: nameOf(id), width: 32, height: 24 }));
  const boxes = ids.map((id) => ({
    id,
    image_id: id,
    category_id: thingOf(id).id,
    bbox: [4, 4, 16, 12],
    area: 192,
    iscrowd: 0,
  }));
  const captions = ids.flatMap((id) =>
    Array.from({ length: 5 }, (_, index) => ({ id: id * 10 + index, image_id: id, caption: captionOf(id) })),
  );
  await writeJsonFile(join(folder, 'instances_train2017.json'), { images, annotations: boxes, categories: things });
  await writeJsonFile(join(folder, 'captions_train2017.json'), { images, annotations: captions });
}

async function writeImage(file: string, id: number, height: number = heightOf.train): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await sharp({ create: { width: 32, height, channels: 3, background: colorOf(id) } })
    .jpeg()
    .toFile(file);
}

async function writeJsonFile(file: string, value: unknown): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(value));
}

function colorOf(id: number): (typeof colors)[number] {
  return colors[id % colors.length] as (typeof colors)[number];
}

function thingOf(id: number): (typeof things)[number] {
  return things[id % things.length] as (typeof things)[number];
}
